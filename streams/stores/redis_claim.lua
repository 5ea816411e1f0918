-- Takes a state partition over: raises its version, so that a former owner can't commit any more.
--
-- KEYS: head. Answers: version, offsets, watermark, ledger; the last three are nil before the first commit.
redis.call('HINCRBY', KEYS[1], 'version', 1)
return redis.call('HMGET', KEYS[1], 'version', 'offsets', 'watermark', 'ledger')
