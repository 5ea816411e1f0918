-- Takes a state partition over: raises its version, so that a former owner can't commit any more.
--
-- By a random step: after a restore from an older copy of the data, versions that were given before would come up again
-- otherwise, and with them former owners.
--
-- KEYS: head. ARGV: the step.
-- Answers: version, offsets, watermark, ledger; the last three are nil before the first commit.
redis.call('HINCRBY', KEYS[1], 'version', ARGV[1])
return redis.call('HMGET', KEYS[1], 'version', 'offsets', 'watermark', 'ledger')
