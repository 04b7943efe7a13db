-- Brings the gate of one sale nearer to the database. KEYS: capacity, holders.
-- ARGV: capacity or '', seconds to live, number of removals, then user, order of each removal and of each holder to put.
-- A removal counts only while the user still holds under that order.
local removals = tonumber(ARGV[3])
for i = 0, removals - 1 do
    local user, order = ARGV[4 + 2 * i], ARGV[5 + 2 * i]
    if redis.call('HGET', KEYS[2], user) == order then redis.call('HDEL', KEYS[2], user) end
end
for i = 4 + 2 * removals, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('HLEN', KEYS[2])
