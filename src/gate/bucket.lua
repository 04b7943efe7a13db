-- Takes tokens from a bucket that refills by itself, or only looks with 0 tokens. Kept is when it will be full again, so that a
-- bucket nobody uses is no key. KEYS: bucket. ARGV: microseconds a token takes to come back, size, tokens.
-- Answers: tokens left, or -1 when there are too few; microseconds until there are enough.
local refill, size, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local missing = (tonumber(redis.call('GET', KEYS[1]) or '') or now) - now
-- A clock that steps back must not keep anybody out for longer than an empty bucket does.
missing = math.min(math.max(missing, 0), size * refill)
local wait = missing + math.max(tokens, 1) * refill - size * refill
if wait > 0 then return { -1, math.ceil(wait) } end
if tokens > 0 then
    missing = missing + tokens * refill
    redis.call('SET', KEYS[1], string.format('%.0f', now + missing), 'PX', math.ceil(missing / 1000))
end
return { math.floor(size - missing / refill), 0 }
