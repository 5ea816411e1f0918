-- Removes old alerts from the archive. Asked again, it changes nothing.
--
-- KEYS: alerts, then sorted sets of alert ids. ARGV: the place of a key in KEYS and an id, and so on.
for at = 1, #ARGV, 2 do
  local place = tonumber(ARGV[at])
  redis.call(place == 1 and 'HDEL' or 'ZREM', KEYS[place], ARGV[at + 1])
end
return redis.status_reply('OK')
