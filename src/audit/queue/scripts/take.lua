#!lua flags=allow-oom
-- Takes a lease that nobody has, or keeps one that is ours.
--
-- One script for both, so that it is safe to repeat: a plain SET NX whose reply was lost would answer the
-- second time that somebody has the lease, and that is us.
--
-- It may run when Redis is full: the writer is who makes room.
--
-- KEYS  1 lease
-- ARGV  1 our id · 2 milliseconds until it runs out
-- Answers 1 where it is ours, 0 where it is another's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
