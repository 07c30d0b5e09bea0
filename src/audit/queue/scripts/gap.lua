-- Tells the trail how many changes were left out of it since this was last asked.
--
-- A script, so that the number is either still counted or in the stream, and never both or neither. Where the
-- stream takes no entry (Redis is full), it goes on being counted.
--
-- KEYS  1 what was left out   2 audit stream
-- ARGV  1 event id, as text
-- Answers 1 where there was something to tell, 0 otherwise.
local was = redis.call('HMGET', KEYS[1], 'changes', 'since', 'until')
if not was[1] then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'e', string.format(
  '{"schema":1,"id":"%s","kind":"gap","shed":%.0f,"since":%.0f,"until":%.0f}', ARGV[1], was[1], was[2], was[3]))
redis.call('DEL', KEYS[1])
return 1
