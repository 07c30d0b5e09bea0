-- Puts a dead letter back into the audit stream, with the stream id that it had at first: from that come
-- the time and the key of its row, so that one which was stored meanwhile meets itself.
--
-- A script, so that the letter is in exactly one of the two, and repeatable: a letter that is gone is not
-- put back a second time. Nothing is written where the XADD is refused (Redis is full).
--
-- KEYS  1 dead stream · 2 audit stream
-- ARGV  1 id in the dead stream
-- Answers 1 where it was put back, 0 where there was no such letter.
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then
  return 0
end
local fields = {}
for i = 1, #found[2], 2 do
  local name = found[2][i]
  if name == 'v' or name == 'p' or name == 'e' or name == 'id' then
    fields[#fields + 1] = name
    fields[#fields + 1] = found[2][i + 1]
  end
end
redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
