-- Ends sessions of one user, or only forgets those that are dead. Behind `#!lua flags=allow-oom`, since it
-- frees memory, tell.lua, due.lua, meta.lua and index.lua.
--
-- KEYS  1 the user's index   2 audit stream   3 log of events   4 list of what is due
--       then for each session two: itself, what became of it
-- ARGV  1 reason, or '' to end nothing and forget what is dead   2 how long to remember, ms
--       3 event id (as text) that begins a new generation: sign-ins under way are void; or ''
--       4 handle of the session that asks, or ''   5 the index' revision as it was read, or ''
--       6 the device of the session that asks, or ''
--       then for each session four: handle, hash in its key, event id of its end, what is told of it
-- Answers
--       {'revoked', how many, '1' or '0', generation}   '1': the index was as it was read, so nothing is left out
--       {'gone'}                                        the session that asks is over; nothing is changed
local index, audit, due, reason = KEYS[1], KEYS[2], KEYS[4], ARGV[1]
local now = clock()
local at = string.format('%.0f', now)
local was = redis.call('HMGET', index, 'rev', 'gen', 'gen_by')
local generation, repeated = was[2] or '0', ARGV[3] ~= '' and was[3] == ARGV[3]
if ARGV[4] ~= '' and not repeated and redis.call('HEXISTS', index, ARGV[4]) == 0 then return {'gone'} end

local ended, targets, names = 0, {}, {}
for i = 7, #ARGV, 4 do
  local n = (i - 7) / 2
  local target = {
    session = KEYS[5 + n], aftermath = KEYS[6 + n], handle = ARGV[i], event = ARGV[i + 2], payload = ARGV[i + 3],
  }
  local hash, ref = string.match(redis.call('HGET', index, ARGV[i]) or '', '^(%S+) (%S+)')
  if hash == ARGV[i + 1] then
    target.place, target.was = hash .. ' ' .. ref, end_of(target.session)
    if reason ~= '' or not target.was then
      targets[#targets + 1] = target
      names[#names + 1] = target.handle
    end
  elseif not hash and redis.call('HGET', target.aftermath, 'by') == target.event then
    ended = ended + 1 -- this very call did it, and its reply was lost
  end
end
local begins = ARGV[3] ~= '' and not repeated
if begins then
  generation = string.format('%.0f', math.max(now, generation + 1))
  for _, name in ipairs(redis.call('HKEYS', index)) do
    if string.byte(name) == PLACE then names[#names + 1] = name end
  end
end

for _, target in ipairs(targets) do
  if target.was then tell_end(audit, KEYS[3], target.was, target.payload) end
end
if begins then
  redis.call('HSET', index, 'gen', generation, 'gen_by', ARGV[3], 'gen_why', reason)
  -- Longer than any sign-in is under way: a second factor is waited for an hour at most.
  lengthen(index, 3900000)
end
for _, target in ipairs(targets) do
  if target.was then
    finish(due, target, reason, at, ARGV[2], ARGV[6])
    ended = ended + 1
  end
end
if begins or #names > 0 then
  drop(index, names)
  redis.call('HINCRBY', index, 'rev', 1)
end
return {'revoked', string.format('%.0f', ended), (was[1] or '') == ARGV[5] and '1' or '0', generation}
