-- Deletes entries that are stored, and only these.
--
-- An id is its server's: after a failover, another primary may have given it to another entry, of the same
-- millisecond, that nobody has stored. So each is looked at before it goes, and what is another entry stays. That is
-- why this may be asked again, on whatever connection there is then.
--
-- KEYS  1 audit stream
-- ARGV  for each entry: its id · how its payload begins
-- Answers how many were deleted.
local ids = {}
for i = 1, #ARGV, 2 do
  if same(KEYS[1], ARGV[i], ARGV[i + 1]) then ids[#ids + 1] = ARGV[i] end
end
if #ids == 0 then return 0 end
return redis.call('XDEL', KEYS[1], unpack(ids))
