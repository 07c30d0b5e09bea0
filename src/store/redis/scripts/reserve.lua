-- Holds a place among a user's sessions for a sign-in that first has to end a session elsewhere. Behind
-- index.lua.
--
-- KEYS  1 the user's index   2 epoch   then the session of each member that was read
-- ARGV  1 handle of the session to come   2 the index' revision as it was read, or ''
--       3 how many sessions the user may have   4 hash in the key of the session that will be replaced, or ''
--       5 for how long, ms   then the handle of each member
-- Answers
--       {'reserved', generation}   the place is held; also if it was before
--       {'rejected'}               there is none; nothing is changed
--       {'changed'}                the index is not as it was read; nothing is changed
local index, place = KEYS[1], '+' .. ARGV[1]
local now = clock()
local was = redis.call('HMGET', index, 'rev', 'gen', place)
if was[3] and tonumber(was[3]) > now then return {'reserved', was[2] or '0'} end
if (was[1] or '') ~= ARGV[2] then return {'changed'} end
local members = {}
for i = 6, #ARGV do
  members[i - 5] = {handle = ARGV[i], session = KEYS[i - 3]}
end
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0')
local live, useless, held = census(index, members, epoch, now)
local count = held
for _, member in ipairs(live) do
  if member.hash ~= ARGV[4] then count = count + 1 end
end
if count >= tonumber(ARGV[3]) then return {'rejected'} end

redis.call('HSET', index, place, string.format('%.0f', now + ARGV[5]),
  'rev', string.format('%.0f', (was[1] or 0) + 1))
drop(index, useless)
lengthen(index, ARGV[5])
return {'reserved', was[2] or '0'}
