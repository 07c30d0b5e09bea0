-- Remembers again why a session ended, where nothing is known of it.
--
-- KEYS  1 session   2 what became of it
-- ARGV  1 event id that ended it (16 bytes)   2 reason   3 when, ms   4 how long that is remembered, ms
--       5 '1' changes nothing and answers what it would do
-- Answers
--       {'ended'}   it is remembered; also where it was before
--       {'alive'}   a session is there: nothing is changed
--       {'late'}    it was longer ago than is remembered
local session, aftermath = KEYS[1], KEYS[2]
if redis.call('EXISTS', session) == 1 then return {'alive'} end
if redis.call('EXISTS', aftermath) == 1 then return {'ended'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = ARGV[3] + ARGV[4] - now
if left < 1 then return {'late'} end
if ARGV[5] == '1' then return {'ended'} end
redis.call('HSET', aftermath, 'kind', 'ended', 'reason', ARGV[2], 'at', ARGV[3], 'by', ARGV[1])
redis.call('PEXPIRE', aftermath, string.format('%.0f', math.min(left, tonumber(ARGV[4]))))
return {'ended'}
