-- Whether the worker ARGV[1] leads: nobody else's name lies under KEYS[1]. Then its own does, for ARGV[2] ms more.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
