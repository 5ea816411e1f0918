-- Reads what is still to be published, in order.
--
-- KEYS: head, the list. ARGV: the number's field in head, number to begin behind, how many at most.
-- Answers: the number of the first entry, then the entries.
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local first = last - redis.call('LLEN', KEYS[2]) + 1
local skipped = math.max(tonumber(ARGV[2]) + 1 - first, 0)
return { first + skipped, redis.call('LRANGE', KEYS[2], skipped, skipped + tonumber(ARGV[3]) - 1) }
