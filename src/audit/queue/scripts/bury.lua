-- Moves an entry that PostgreSQL refuses from the audit stream to the dead letters.
--
-- A script and not MULTI/EXEC: EXEC goes on after an XADD that failed (a dead stream of the wrong type)
-- and the XDEL would then lose the entry; a script stops at it. And it asks first whether the entry is
-- still there, so that a lost reply or a second writer can't bury it twice; and whether it is this one, as delete.lua
-- does.
--
-- It may run when Redis is full: what it adds in one place it takes away in the other.
--
-- KEYS  1 audit stream · 2 dead stream · 3 attempts
-- ARGV  1 id in the audit stream · 2 v · 3 p · 4 e · 5 original stream id · 6 error · 7 attempts · 8 how the payload begins
-- Answers 1 where it was moved, 0 where it was no longer there.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not (entry and begins(entry[2], ARGV[8])) then return 0 end
redis.call('XADD', KEYS[2], '*', 'v', ARGV[2], 'p', ARGV[3], 'e', ARGV[4], 'id', ARGV[5], 'err', ARGV[6], 'n', ARGV[7])
redis.call('XDEL', KEYS[1], ARGV[1])
-- It waits no longer; and if it comes back, it does so under another id.
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
