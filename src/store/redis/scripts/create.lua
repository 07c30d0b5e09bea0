-- Begins a session at an address that was never used.
--
-- KEYS  1 session   2 what became of it   3 epoch   4 audit stream
-- ARGV  1 event id (16 bytes)     2 idle timeout, ms     3 absolute lifetime, ms   4 idle class
--       5 user, or ''             6 authentication method, or ''                   7 device, or ''
--       8 audit payload, or ''    9 predecessor's last event (16 bytes)
--       then for each key: its name, its flag ('\0', or '\128' for a secret) and value in one string
-- Answers
--       {'created', ms}   it exists; also when this event made it before and the reply was lost
--       {'taken'}         something lives or lived here; nothing is changed
local session, aftermath = KEYS[1], KEYS[2]
local event = ARGV[1]
local tail = string.sub(event, 9)

if redis.call('EXISTS', session) == 1 then
  local was = redis.call('HMGET', session, 'v', 'recent', 'created')
  if was[2] and tonumber(was[1]) * 8 == #was[2] and string.sub(was[2], 1, 8) == tail then
    return {'created', was[3]}
  end
  return {'taken'}
end
if redis.call('EXISTS', aftermath) == 1 then
  return {'taken'}
end
local epoch = redis.call('GET', KEYS[3]) or '0'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format('%.0f', now)

if ARGV[8] ~= '' then
  redis.call('XADD', KEYS[4], '*', 'v', '1', 'p', ARGV[9], 'e', ARGV[8])
end
local fields = {
  'v', '1', 'head', event, 'recent', tail, 'epoch', epoch, 'created', at,
  'deadline', string.format('%.0f', now + ARGV[3]), 'class', ARGV[4],
}
local function add(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if ARGV[5] ~= '' then
  add('user', ARGV[5])
  add('auth_at', at)
  if ARGV[6] ~= '' then add('auth_method', ARGV[6]) end
end
if ARGV[7] ~= '' then add('device', ARGV[7]) end
for i = 10, #ARGV, 2 do
  local flagged = ARGV[i + 1]
  add('.' .. ARGV[i], string.sub(flagged, 1, 1) .. '\0\0\0\0\1' .. string.sub(flagged, 2))
end
redis.call('HSET', session, unpack(fields))
redis.call('PEXPIRE', session, ARGV[2])
return {'created', at}
