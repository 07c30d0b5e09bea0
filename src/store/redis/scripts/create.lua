-- Begins a session at an address that was never used. Behind tell.lua, due.lua, meta.lua, recent.lua and index.lua.
--
-- KEYS  1 session   2 what became of it   3 epoch   4 audit stream   5 log of events
--       6 list of what is due   where somebody signs in: 7 the user's index, then for each member that was read
--       with a cap two: its session, what became of it
-- ARGV  1 event id (16 bytes)     2 idle timeout, ms     3 absolute lifetime, ms   4 idle class
--       5 user, or ''             6 authentication method, or ''                   7 device, or ''
--       8 what is told, see tell.lua   9 predecessor's last event (16 bytes)
--       10 hash in the session's key, space, ref
--       where somebody signs in: 11 handle ('': it is not listed, and the rest is of no matter)
--         12 JSON of what the list tells   13 the generation under which the sign-in began, or ''
--         14 how many sessions the user may have, or ''   15 who gives way: oldest, unused, nobody
--         16 the index' revision as it was read, or ''    17 how long to remember an eviction, ms
--         18 how many members were read, and for each three: handle, event id of its end, what is told of it
--       then for each of the application's fields its name and itself, see meta.lua
-- Answers
--       {'created', ms}          it exists; also when this event made it before and the reply was lost
--       {'taken'}                something lives or lived here; nothing is changed
--       {'rejected'}             the user has as many sessions as there may be; nothing is changed
--       {'revoked', reason, ms}  all the user's sessions were revoked since this sign-in began; nothing changed
--       {'changed'}              the index is not as it was read; nothing is changed
local session, aftermath, due, index = KEYS[1], KEYS[2], KEYS[6], KEYS[7]
local event = ARGV[1]
local tail = string.sub(event, 9)
local signs_in = ARGV[5] ~= ''
local listed = signs_in and ARGV[11] ~= ''
local first = 11
if signs_in then first = 19 + 3 * ARGV[18] end

if redis.call('EXISTS', session) == 1 then
  local was = redis.call('HMGET', session, 'h', 'm')
  if was[1] then
    local version, _, recent = head_of(was[1])
    recent = recent_of(session, recent)
    if version * 8 == #recent and string.sub(recent, -8) == tail then
      return {'created', meta_of(was[2]).created}
    end
  end
  return {'taken'}
end
if redis.call('EXISTS', aftermath) == 1 then
  return {'taken'}
end
local epoch = redis.call('GET', KEYS[3]) or '0'
local now = clock()
local at = string.format('%.0f', now)

local useless, victims, was = {}, {}, {}
local place = listed and '+' .. ARGV[11]
if listed then
  was = redis.call('HMGET', index, 'rev', 'gen', 'gen_why', place)
  if ARGV[13] ~= '' and tonumber(was[2] or '0') > tonumber(ARGV[13]) then
    return {'revoked', was[3] or '', was[2]}
  end
end
if listed and ARGV[14] ~= '' then
  if (was[1] or '') ~= ARGV[16] then return {'changed'} end
  local members = {}
  for i = 1, tonumber(ARGV[18]) do
    local from = 16 + 3 * i
    members[i] = {
      handle = ARGV[from], event = ARGV[from + 1], payload = ARGV[from + 2],
      session = KEYS[6 + 2 * i], aftermath = KEYS[7 + 2 * i],
    }
  end
  local cap, live, held = tonumber(ARGV[14]), nil, nil
  live, useless, held = census(index, members, tonumber(epoch), now)
  if ARGV[15] == 'nobody' then
    local granted = was[4] and tonumber(was[4]) > now
    if not granted and #live + held >= cap then return {'rejected'} end
  else
    local by = ARGV[15] == 'oldest' and 'created' or 'used'
    table.sort(live, function(a, b)
      if a[by] ~= b[by] then return a[by] < b[by] end
      return a.handle < b.handle
    end)
    for i = 1, #live + 1 - cap do
      victims[i] = live[i]
      victims[i].was = end_of(live[i].session)
    end
  end
end

tell(KEYS[4], KEYS[5], '1', ARGV[9], apart(ARGV[8]))
for _, victim in ipairs(victims) do tell_end(KEYS[4], KEYS[5], victim.was, victim.payload) end
local deadline = string.format('%.0f', now + ARGV[3])
local begun = {
  epoch = epoch, deadline = deadline, created = at, class = ARGV[4], user = ARGV[5],
  auth_at = signs_in and at, method = signs_in and ARGV[6] or '', handle = listed and ARGV[11],
  device = ARGV[7],
}
redis.call('HSET', session, 'h', 'h1 ' .. event, 'm', meta(begun), unpack(ARGV, first))
-- At the moment that the list names, and not so long after this command: a sweep that looks between the two would put
-- the session off.
redis.call('PEXPIREAT', session, string.format('%.0f', now + ARGV[2]))
redis.call('ZADD', due, string.format('%.0f', now + math.min(ARGV[2], ARGV[3])),
  due_name(ARGV[10], deadline, listed and ARGV[11], ARGV[5]))
if not listed then return {'created', at} end

local revision = (was[1] or 0) + 1
local entry = table.concat(
  {ARGV[10], was[2] or '0', epoch, ARGV[2], at, deadline, at, ARGV[12]}, ' ')
redis.call('HSET', index, ARGV[11], entry, 'rev', string.format('%.0f', revision))
for _, victim in ipairs(victims) do
  finish(due, victim, 'evicted', at, ARGV[17], ARGV[7])
  useless[#useless + 1] = victim.handle
end
if was[4] then useless[#useless + 1] = place end
if ARGV[14] == '' and revision % 16 == 0 then
  -- Where nobody counts, nobody sees the dead. Those past their deadline are known without their keys. Some
  -- at random, however many there are: four looks for each sign-in keep the dead below a quarter.
  local all = redis.call('HRANDFIELD', index, 64, 'WITHVALUES')
  for i = 1, #all, 2 do
    local deadline = string.match(all[i + 1], '^%S+ %S+ %d+ %d+ %d+ %d+ (%d+) ')
    if deadline and tonumber(deadline) <= now then useless[#useless + 1] = all[i] end
  end
end
drop(index, useless)
lengthen(index, ARGV[3])
return {'created', at}
