#!lua flags=allow-oom
-- Counts a refusal of an entry by PostgreSQL, so that the count outlives the writer.
--
-- Safe to repeat: it sets the count to one more than the writer knew, and never lowers it. It may run when
-- Redis is full: these few bytes let an entry become a dead letter at all.
--
-- KEYS  1 attempts
-- ARGV  1 id in the audit stream · 2 how many refusals the writer knew of · 3 milliseconds to keep it
-- Answers how many there are now.
local refusals = math.max(tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0'), ARGV[2] + 1)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', refusals))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return refusals
