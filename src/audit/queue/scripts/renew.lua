-- Keeps a lease that is still ours.
--
-- KEYS  1 lease
-- ARGV  1 our id · 2 milliseconds until it runs out
-- Answers 1 where it was ours and runs on, 0 where it is another's or ran out.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
