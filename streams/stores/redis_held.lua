-- Reads the first observations held back up to a time, in order of release.
--
-- KEYS: head, held, bodies. ARGV: version of the claim, known until (included), how many at most.
-- Answers: member and known of each in turn, then chunks of their bodies. Nothing is written.
local AT_ONCE = 7000 -- unpack takes no more than about 8,000

if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then
  return redis.error_reply('FENCED')
end
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local members, bodies = {}, {}
for place = 1, #found, 2 do
  members[#members + 1] = found[place]
end
for first = 1, #members, AT_ONCE do
  local last = math.min(first + AT_ONCE - 1, #members)
  bodies[#bodies + 1] = redis.call('HMGET', KEYS[3], unpack(members, first, last))
end
return { found, bodies }
