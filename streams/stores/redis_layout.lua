-- Writes the layout down if nobody has, and answers what is written: version, accounts, drift.
--
-- KEYS: layout. ARGV: version, partitions of accounts, partitions of drift.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'accounts', ARGV[2], 'drift', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'version', 'accounts', 'drift')
