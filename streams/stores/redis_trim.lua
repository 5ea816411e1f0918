-- Forgets what was published. Asked again, or for what is gone already, it changes nothing.
--
-- KEYS: head, the list. ARGV: the number's field in head, number of the last entry to forget.
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local first = last - redis.call('LLEN', KEYS[2]) + 1
local count = tonumber(ARGV[2]) - first + 1
if count > 0 then
  redis.call('LTRIM', KEYS[2], count, -1)
end
return redis.status_reply('OK')
