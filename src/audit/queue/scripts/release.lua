-- Gives a lease back that is still ours, so that the next writer need not wait for it to run out.
--
-- KEYS  1 lease
-- ARGV  1 our id
-- Answers 1 where it was ours, 0 otherwise.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
