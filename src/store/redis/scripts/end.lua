-- Ends a session and remembers why. Exactly one call wins. Behind `#!lua flags=allow-oom`, since a logout frees
-- memory and must never be refused for want of it, tell.lua, due.lua and meta.lua.
--
-- KEYS  1 session   2 what became of it   3 audit stream   4 log of events
--       5 its remains, for a sign-in to carry over   6 epoch   7 list of what is due
--       8 the user's index, where somebody is signed in
-- ARGV  1 event id (16 bytes)   2 reason   3 what is told, see tell.lua   4 how long to remember, ms
--       5 '1' keeps the fields for a minute and answers them, unless the session's time was up
--       6 hash in the session's key, space, ref
-- Answers
--       {'ended', ms, values or false}   this call ended it; also if its first reply was lost
--       {'gone', reason, ms, device}     it was over before; nothing is changed
--       {'moved', ref}                   it was renewed; nothing is changed
local session, aftermath, remains = KEYS[1], KEYS[2], KEYS[5]
local keep = ARGV[5] == '1'

local was = redis.call('HMGET', session, 'h', 'm')
if not was[1] then
  local x = redis.call('HMGET', aftermath, 'kind', 'to', 'reason', 'at', 'device', 'by')
  if x[1] == 'moved' then return {'moved', x[2]} end
  if x[6] == ARGV[1] then
    return {'ended', x[4], keep and redis.call('HVALS', remains)}
  end
  return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}
end
local known = meta_of(was[2])
local version, head = head_of(was[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format('%.0f', now)
if keep and tonumber(known.epoch) < tonumber(redis.call('GET', KEYS[6]) or '0') then
  return {'gone', 'epoch', '', ''}
end
if keep and now >= tonumber(known.deadline) then
  return {'gone', 'absolute', known.deadline, ''}
end
local fields = keep and redis.call('HVALS', session)

tell(KEYS[3], KEYS[4], string.format('%.0f', version + 1), head, apart(ARGV[3]))
redis.call('HSET', aftermath, 'kind', 'ended', 'reason', ARGV[2], 'at', at, 'by', ARGV[1])
if known.device ~= '' then redis.call('HSET', aftermath, 'device', known.device) end
redis.call('PEXPIRE', aftermath, ARGV[4])
if keep then
  redis.call('RENAME', session, remains)
  redis.call('PEXPIRE', remains, 60000)
else
  redis.call('DEL', session)
end
redis.call('ZREM', KEYS[7], due_name(ARGV[6], known.deadline, known.handle, known.user))
if KEYS[8] and known.handle and redis.call('HDEL', KEYS[8], known.handle) == 1 then
  redis.call('HINCRBY', KEYS[8], 'rev', 1)
end
return {'ended', at, fields}
