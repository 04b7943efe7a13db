-- How much of one sale's gate is taken. KEYS: capacity, holders. Answers: capacity, or nil when the gate is unknown; holders.
return { redis.call('GET', KEYS[1]), redis.call('HLEN', KEYS[2]) }
