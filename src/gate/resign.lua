-- Leaves the lead to others, if the worker ARGV[1] has it.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
