-- Takes tokens of one sale for a batch of orders. KEYS: capacity, holders. ARGV: user and order of each, in turn.
-- Answers for each, in their order: '' admitted, 'sold_out' no token free, otherwise the order that the user holds a token
-- under. Answers nil for all when the gate is unknown.
local capacity = tonumber(redis.call('GET', KEYS[1]) or '')
if not capacity then return nil end
local users = {}
for i = 1, #ARGV, 2 do users[#users + 1] = ARGV[i] end
local held = redis.call('HMGET', KEYS[2], unpack(users))
local free = capacity - redis.call('HLEN', KEYS[2])
local answers, taken, puts = {}, {}, {}
for i, user in ipairs(users) do
    local order = ARGV[2 * i]
    local under = held[i] or taken[user]
    if under then
        answers[i] = under == order and '' or under
    elseif free > 0 then
        free = free - 1
        taken[user] = order
        puts[#puts + 1] = user
        puts[#puts + 1] = order
        answers[i] = ''
    else
        answers[i] = 'sold_out'
    end
end
if #puts > 0 then redis.call('HSET', KEYS[2], unpack(puts)) end
return answers
