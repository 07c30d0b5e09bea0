-- Changes a session that exists: all of the delta or nothing, and the version by exactly one. Behind tell.lua and
-- recent.lua, and before due.lua, meta.lua and merge.lua: what most requests want is done here, and the rest, with all
-- that is needed for it, is not even made then.
--
-- KEYS  1 session   2 what became of it   3 epoch; where nobody is told and the session stays where it is, that is all
--       4 audit stream   5 log of events   6 where a renewal moves it to; the session itself where there is no renewal
--       7 where there is no renewal: what was left out of the trail; else the list of what is due
--       8 of a renewal, where somebody is signed in: the user's index (see index.lua)
-- ARGV  1 base: version, space, event id (16 bytes)   2 the same of this commit, if nobody was faster
--       3 policy: m merge, s strict, l last; behind it c where every key is removed first, t where somebody is told, r of
--         a renewal
--       4 idle timeout, ms, or '' where it goes on running
--       5 what `p` is then (see meta.lua), if the session is as it was loaded; 'k': as it is; '': work it out
--       6, 7 the epoch and the deadline of that session, where 5 is not ''
--       of t: how many bytes the stream may take before the entry is left out, or ''; in front of that 's', if it is then
--         counted, or 'b', if nothing is changed then; entry and event that are told, see tell.lua; how many results of
--         operations the entry is told where 5 is not '', and for each two: its name as a field has it, JSON
--       of r nine: the new ref (32 bytes); its grace, ms; hash in the session's key; how long to remember, ms; the
--         absolute lifetime, ms, that a sign-in anew starts again, or ''; the user who signed in anew; by which method, or
--         ''; the hash in the new key, space, the new ref as text; the same of the key that it leaves
--       an entry that begins with {"names_only":true is told no results of operations
--       then for each change three: mode, name, and the value as it is laid out ('' to remove; of an operation: flag,
--       argument)
--         s set, d remove: not watched; S set, D remove: read before, was there; T, E: was not there
--         + add a number, > keep the greater, a put into a set, r take out of it; p push: 'cap:element'
--         behind it, for 5: o for a field of its own, x where such a one may be there and is to go
-- Answers
--       ms                                            committed, on the very session that was loaded
--       {'committed', version, ms, values or false}   values where they may differ from what is known
--       {'conflict', names, values, ms}               nothing changed; no names: the whole session
--       {'gone', reason, ms, device}                  nothing changed
--       {'moved', ref}                                nothing changed
--       {'behind', values, ms, '1' or '0'}            nothing changed; '1': nor by this event in the last 10 s
--       {'taken'}                                     nothing changed; a renewal's address is in use
--       {'full'}                                      nothing changed; the audit stream takes no more
local session, base = KEYS[1], ARGV[1]
-- Arguments that most commits have no use for are not there: each costs some 0.15 microseconds, a short command 0.8.
local limit, entry, notice, first = '', '', '', 8
local tells = string.find(ARGV[3], 't', 2, true)
if tells then limit, entry, notice, first = ARGV[8], ARGV[9], ARGV[10], 12 + 2 * ARGV[11] end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local was = redis.call('HMGET', session, 'h', 'm')
local heads = was[1]
local current = heads and string.sub(heads, 2, #base + 1) == base
-- Fewer entries are not even measured: that is what waits while PostgreSQL keeps up.
local full = heads and limit ~= '' and redis.call('XLEN', KEYS[4]) >= 128
  and redis.call('MEMORY', 'USAGE', KEYS[4]) >= tonumber(string.sub(limit, 2))

-- Nobody was faster, so that what the client has worked out holds; this also proves that it is no repeat.
local known = 'm ' .. ARGV[6] .. ' ' .. ARGV[7] .. ' '
if current and ARGV[5] ~= '' and not full and string.sub(was[2], 1, #known) == known
  and (redis.call('GET', KEYS[3]) or '0') == ARGV[6] and now < tonumber(ARGV[7]) then
  -- The audit entry is the first write: a script that fails here has changed nothing.
  if tells then
    local version = string.match(ARGV[2], '^%d+')
    tell(KEYS[4], KEYS[5], version, string.sub(base, -16), entry, notice, unpack(ARGV, 12, first - 1))
  end
  local set = {}
  local recent = remembered(session, string.sub(heads, #base - 6), now, set)
  set[#set + 1] = 'h'
  set[#set + 1] = 'h' .. ARGV[2] .. recent
  if ARGV[5] ~= 'k' then
    set[#set + 1] = 'p'
    set[#set + 1] = ARGV[5]
  end
  local remove
  for i = first, #ARGV, 3 do
    local where = string.byte(ARGV[i], 2)
    if where == 111 then
      set[#set + 1] = '.' .. ARGV[i + 1]
      set[#set + 1] = ARGV[i + 2]
    elseif where then
      remove = remove or {}
      remove[#remove + 1] = '.' .. ARGV[i + 1]
    end
  end
  -- Before what frees memory: a full Redis refuses a script at its first write or not at all.
  redis.call('HSET', session, unpack(set))
  if remove then redis.call('HDEL', session, unpack(remove)) end
  if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end
  return now
end

