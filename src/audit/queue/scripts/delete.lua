-- Deletes entries that are stored, and only these.
--
-- An id is its server's: after a failover, another primary may have given it to another entry, of the same
-- millisecond, that nobody has stored. So each is looked at before it goes, and what is another entry stays. That is
-- why this may be asked again, on whatever connection there is then.
--
-- KEYS  1 audit stream
-- ARGV  for each entry, in their order: its id · how its payload begins
-- Answers how many were deleted.
local wanted = {}
for i = 1, #ARGV, 2 do wanted[ARGV[i]] = ARGV[i + 1] end
-- All with one command: one each would take as long again as everything else here. Others may stand between them; a
-- batch of which more than half is others' is deleted by and by.
local range = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[#ARGV - 1], 'COUNT', #ARGV)
local ids = {}
for _, entry in ipairs(range) do
  local beginning = wanted[entry[1]]
  if beginning and begins(entry[2], beginning) then ids[#ids + 1] = entry[1] end
end
if #ids == 0 then return 0 end
return redis.call('XDEL', KEYS[1], unpack(ids))
