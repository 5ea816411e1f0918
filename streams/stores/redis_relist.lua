-- Writes places in one variant's lists, each only if the account's state is still the one that it was made from, and none
-- of them if the lists are in other hands. Answers the accounts whose state has changed; false if the lists are.
--
-- KEYS: states, listed_under, rank, fit, listed.
-- ARGV: variant, what listed_under must hold, what it shall hold from now on, and for each account: account, SHA-1 of its
--   state, rank, minus fit, when it was listed.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return false
end
local changed = {}
for i = 4, #ARGV, 5 do
  local account = ARGV[i]
  local state = redis.call('HGET', KEYS[1], account)
  if state and redis.sha1hex(state) == ARGV[i + 1] then
    redis.call('ZADD', KEYS[3], ARGV[i + 2], account)
    redis.call('ZADD', KEYS[4], ARGV[i + 3], account)
    redis.call('ZADD', KEYS[5], ARGV[i + 4], account)
  else
    changed[#changed + 1] = account
  end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return changed
