-- Reads the states of the asked keys, and of all keys whose timer is due, as one moment shows them.
--
-- KEYS: head, states, timers.
-- ARGV: version of the claim, due after (excluded), due until (included; empty: no timers are asked for), then the keys.
-- Answers: chunks of states and chunks of due times of the asked keys (nil where there is none); then the keys due with
-- their due times in order of (due, key), and chunks of their states. Nothing is written.
local AT_ONCE = 7000 -- unpack takes no more than about 8,000

if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then
  return redis.error_reply('FENCED')
end

local states, dues = {}, {}
for first = 4, #ARGV, AT_ONCE do
  local last = math.min(first + AT_ONCE - 1, #ARGV)
  states[#states + 1] = redis.call('HMGET', KEYS[2], unpack(ARGV, first, last))
  dues[#dues + 1] = redis.call('ZMSCORE', KEYS[3], unpack(ARGV, first, last))
end

local due, due_states = {}, {}
if ARGV[3] ~= '' then
  due = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[2], ARGV[3], 'WITHSCORES')
  local names = {}
  for place = 1, #due, 2 do
    names[#names + 1] = due[place]
  end
  for first = 1, #names, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #names)
    due_states[#due_states + 1] = redis.call('HMGET', KEYS[2], unpack(names, first, last))
  end
end
return { states, dues, due, due_states }
