-- Raises a shard's epoch: every session that began under a lower one is void. It may run when Redis is full,
-- since it is for emergencies. Safe to repeat: it never lowers the number, and tells the trail once.
--
-- KEYS  1 epoch   2 audit stream   3 log of events
-- ARGV  1 the number to raise it to   2 what is told, see tell.lua
-- Answers
--       {'raised'}   this call did it
--       {'kept'}     it was as high before; nothing is changed
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return {'kept'} end
tell(KEYS[2], KEYS[3], ARGV[1], string.rep('\0', 16), apart(ARGV[2]))
redis.call('SET', KEYS[1], ARGV[1])
return {'raised'}
