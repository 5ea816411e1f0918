-- Commits one batch to one state partition: all of it or nothing.
--
-- Redis does not take back what a script has written when it fails later. So everything that can fail is looked at
-- before the first write: whether the claim still holds, the type of every key that is written to (which also finds out a
-- slot that is being moved), and that what is counted up is a number. Scores are checked for NaN before they are sent.
-- Memory and disk are Redis' own affair: it refuses the first write or none; that write is HSET, which a full memory
-- refuses.
--
-- KEYS: head, states, alerts, outgoing alerts, then those that ARGV names by their place.
-- ARGV: version and offsets of the claim; offsets, watermark, ledger to write; the type of each key, with commas behind;
--   number of counters, and for each the place of its key in KEYS, field, and by how much;
--   number of accounts, number of other keys, and for each of them key and state;
--   number of alerts, and for each id, time, body, number of indexes, place of each index in KEYS;
--   then to the end: command, place of its key in KEYS, number of its values, values.
local AT_ONCE = 7000 -- unpack takes no more than about 8,000; even, so that pairs stay together

local head = redis.call('HMGET', KEYS[1], 'version', 'offsets')
if head[1] ~= ARGV[1] or (head[2] or '{}') ~= ARGV[2] then
  return redis.error_reply('FENCED')
end
local place = 0
for expected in string.gmatch(ARGV[6], '(%a+),') do
  place = place + 1
  local found = redis.call('TYPE', KEYS[place]).ok
  if found ~= 'none' and found ~= expected then
    return redis.error_reply('FOREIGN')
  end
end

local at = 7
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local function counted(key, field)
  return string.match(redis.call('HGET', key, field) or '0', '^%d+$')
end
local counters = {}
for i = 1, tonumber(take()) do
  counters[i] = { KEYS[tonumber(take())], take(), take() }
  if not counted(counters[i][1], counters[i][2]) then
    return redis.error_reply('FOREIGN')
  end
end
if not counted(KEYS[1], 'accounts') or not counted(KEYS[1], 'alerts') then
  return redis.error_reply('FOREIGN')
end

-- Calls command with count values from where we are, in chunks, and answers the sum of its replies.
local function in_chunks(count, command, key, option)
  local sum, last = 0, at + count - 1
  while at <= last do
    local until_ = math.min(at + AT_ONCE - 1, last)
    local reply
    if option then
      reply = redis.call(command, key, option, unpack(ARGV, at, until_))
    else
      reply = redis.call(command, key, unpack(ARGV, at, until_))
    end
    sum = sum + (type(reply) == 'number' and reply or 0)
    at = until_ + 1
  end
  return sum
end

redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'offsets', ARGV[3], 'watermark', ARGV[4], 'ledger', ARGV[5])

for _, counter in ipairs(counters) do
  redis.call('HINCRBY', unpack(counter))
end
local accounts, others = tonumber(take()), tonumber(take())
local new = in_chunks(2 * accounts, 'HSET', KEYS[2])
if new > 0 then
  redis.call('HINCRBY', KEYS[1], 'accounts', new)
end
in_chunks(2 * others, 'HSET', KEYS[2])

local fresh = 0
for _ = 1, tonumber(take()) do
  local id, time, body = take(), take(), take()
  local indexes = {}
  for i = 1, tonumber(take()) do
    indexes[i] = KEYS[tonumber(take())]
  end
  if redis.call('HSETNX', KEYS[3], id, body) == 1 then
    for _, index in ipairs(indexes) do
      redis.call('ZADD', index, time, id)
    end
    redis.call('RPUSH', KEYS[4], body)
    fresh = fresh + 1
  end
end
if fresh > 0 then
  redis.call('HINCRBY', KEYS[1], 'alerts', fresh)
end

while at <= #ARGV do
  local command, key, count = take(), KEYS[tonumber(take())], tonumber(take())
  if command == 'ZADD NX' then
    in_chunks(count, 'ZADD', key, 'NX')
  else
    in_chunks(count, command, key)
  end
end
return redis.status_reply('OK')
