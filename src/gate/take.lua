-- Takes a token of one sale for an order. KEYS: capacity, holders. ARGV: user, order.
-- Answers {0} admitted, {1, order} held by the user under that order, {2} no token free, {3} unknown gate.
local capacity = tonumber(redis.call('GET', KEYS[1]) or '')
if not capacity then return {3} end
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held == ARGV[2] then return {0} end
if held then return {1, held} end
if redis.call('HLEN', KEYS[2]) >= capacity then return {2} end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return {0}
