#!lua flags=allow-oom
-- Finds out whether a change is still there, and writes a mark behind it, so that a replica that has the mark has
-- the change. `WAIT` follows on the same connection: it counts what was written on that one. It may run when Redis is
-- full: a mark takes another's place, and what it confirms may be a logout.
--
-- KEYS  1 session   2 what became of it   3 mark
-- ARGV  1 event id (16 bytes)
-- Answers  1 it is there   0 it is not: a failover has lost it
local tail = string.sub(ARGV[1], 9)
-- See meta.lua and recent.lua.
local recent = string.match(redis.call('HGET', KEYS[1], 'h') or '', '^h%d+ ........(.*)$')
local older = string.match(redis.call('HGET', KEYS[1], 'older') or '', '^~%d+ (.*)$')
recent = (recent or '') .. (older or '')
local there = redis.call('HGET', KEYS[2], 'by') == ARGV[1]
for i = 1, #recent, 8 do
  there = there or string.sub(recent, i, i + 7) == tail
end
if not there then return 0 end
redis.call('SET', KEYS[3], tail)
return 1
