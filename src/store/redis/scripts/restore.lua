-- Puts a session back that Redis lost, where nobody has put anything since. Behind tell.lua, due.lua, meta.lua and
-- index.lua.
--
-- KEYS  1 session   2 what became of it   3 epoch   4 audit stream   5 log of events
--       6 list of what is due   where somebody is signed in: 7 the user's index
--       then the keys under which the session lived before its renewals
-- ARGV  1 event id (16 bytes)      2 the last event that the trail has (16 bytes)
--       3 what is told, see tell.lua
--       4 version that this makes  5 `h`, see meta.lua
--       6 created, ms              7 deadline, ms             8 idle class
--       9 user, or ''             10 authenticated at, ms     11 authentication method, or ''
--      12 idle timeout, ms        13 counted from, ms, or '' for now
--      14 '1' changes nothing and answers what it would do
--      15 the epoch under which it is valid: one that was raised above it since voids it; '' for any
--      16 device, or ''   17 hash in the session's key, space, ref
--       where somebody is signed in: 18 handle, never used before
--         19 JSON of what the list tells   20 when its last event was, ms
--       then for each of the application's fields its name and itself, see meta.lua
-- Answers
--       {'restored', ms}   it exists; also when this event made it before and the reply was lost
--       {'alive'}          a session is there, here or under a former key
--       {'ended'}          it has ended or moved on, or is void by the epoch or by a revocation of all
--       {'late'}           its time is up
local session = KEYS[1]
local event = ARGV[1]
local signed_in = ARGV[9] ~= ''
local index = signed_in and KEYS[7]

local head = redis.call('HGET', session, 'h')
local now = clock()
local at = string.format('%.0f', now)
if head and select(2, head_of(head)) == event then return {'restored', at} end
if head or redis.call('EXISTS', session) == 1 then return {'alive'} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'ended'} end
for i = signed_in and 8 or 7, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return {'alive'} end
end
local epoch = redis.call('GET', KEYS[3]) or '0'
if ARGV[15] ~= '' and tonumber(epoch) > tonumber(ARGV[15]) then return {'ended'} end
local generation
if index then
  -- It began before this, or its last event would be younger: whoever revokes all means this one, too.
  generation = redis.call('HGET', index, 'gen') or '0'
  if tonumber(generation) >= tonumber(ARGV[20]) then return {'ended'} end
end
local left = tonumber(ARGV[12])
if ARGV[13] ~= '' then left = math.min(left, ARGV[13] + left - now) end
if left < 1 or now >= tonumber(ARGV[7]) then return {'late'} end
if ARGV[14] == '1' then return {'restored', at} end

-- The audit entry is the first write: a script that fails here has changed nothing.
tell(KEYS[4], KEYS[5], ARGV[4], ARGV[2], apart(ARGV[3]))
local known = {
  epoch = epoch, deadline = ARGV[7], created = ARGV[6], class = ARGV[8], user = ARGV[9],
  auth_at = signed_in and ARGV[10], method = signed_in and ARGV[11] or '', handle = signed_in and ARGV[18],
  device = ARGV[16],
}
redis.call('HSET', session, 'h', ARGV[5], 'm', meta(known), unpack(ARGV, signed_in and 21 or 18))
redis.call('PEXPIRE', session, string.format('%.0f', left))
redis.call('ZADD', KEYS[6], string.format('%.0f', math.min(now + left, tonumber(ARGV[7]))),
  due_name(ARGV[17], ARGV[7], signed_in and ARGV[18], ARGV[9]))
if index then
  -- Only a field of its own, and the count of changes: a sign-in that has read the index reads it again.
  local entry =
    table.concat({ARGV[17], generation, epoch, ARGV[12], ARGV[6], ARGV[7], ARGV[10], ARGV[19]}, ' ')
  redis.call('HSET', index, ARGV[18], entry)
  redis.call('HINCRBY', index, 'rev', 1)
  lengthen(index, string.format('%.0f', ARGV[7] - now))
end
return {'restored', at}
