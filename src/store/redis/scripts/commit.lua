-- Changes a session that exists: all of the delta or nothing, and the version by exactly one. Behind tell.lua, and
-- before recent.lua, due.lua, meta.lua and merge.lua: what most requests want is done here, and the rest, with all that
-- is needed for it, is not even made then.
--
-- Redis' Lua hashes every byte of every string that it is given or makes, some 1 ns each; an argument more costs 0.15
-- microseconds, a function that is made 0.07, a short command 0.3 to 0.7. So the client works out all that it can.
--
-- KEYS  1 session   2 what became of it   3 epoch; where nobody is told and the session stays where it is, that is all
--       4 audit stream   5 log of events   6 what was left out of the trail; of a renewal: the list of what is due
--       7 of a renewal: where it moves the session to
--       8 of a renewal, where somebody is signed in: the user's index (see index.lua)
-- ARGV  1 `h` as it was loaded (see meta.lua); where 5 is '', its beginning is enough: version and last event
--       2 the same when this is done, if nobody was faster
--       3 policy: m merge, s strict, l last; behind it c where every key is removed first, t where somebody is told, r of
--         a renewal, o where `older` becomes another (see recent.lua), e where that or a value's own field does, or where
--         `p` does not
--       4 idle timeout, ms, or '' where it goes on running
--       5 what `p` is then (see meta.lua), if the session is as it was loaded; 'k': as it is; '': work it out
--       6, 7 the epoch and the deadline of that session, where 5 is not ''
--       of o: what `older` is then, behind the time
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
local session, has = KEYS[1], ARGV[3]
local limit, entry, notice, first = '', '', '', 8
local older, tells, uncommon, results
if #has > 1 then
  uncommon, tells = string.find(has, 'e', 2, true), string.find(has, 't', 2, true)
  if string.find(has, 'o', 2, true) then older, first = ARGV[8], 9 end
  if tells then
    limit, entry, notice = ARGV[first], ARGV[first + 1], ARGV[first + 2]
    results, first = first + 4, first + 4 + 2 * ARGV[first + 3]
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local heads = redis.call('HGET', session, 'h')
-- Fewer entries are not even measured: that is what waits while PostgreSQL keeps up.
local full = limit ~= '' and heads and redis.call('XLEN', KEYS[4]) >= 128
  and redis.call('MEMORY', 'USAGE', KEYS[4]) >= tonumber(string.sub(limit, 2))

-- Nobody was faster, or `h` would be another; so what the client has worked out holds. This also proves that it is no
-- repeat.
if heads == ARGV[1] and ARGV[5] ~= '' and not full
  and (redis.call('GET', KEYS[3]) or '0') == ARGV[6] and now < tonumber(ARGV[7]) then
  -- The audit entry is the first write: a script that fails here has changed nothing.
  if tells then
    local space = string.find(heads, ' ', 2, true)
    local version = string.match(ARGV[2], '^h(%d+)')
    tell(KEYS[4], KEYS[5], version, string.sub(heads, space + 1, space + 16), entry, notice,
      unpack(ARGV, results, first - 1))
  end
  if not uncommon then
    redis.call('HSET', session, 'h', ARGV[2], 'p', ARGV[5])
  else
    local set, remove = {'h', ARGV[2]}, {}
    if ARGV[5] ~= 'k' then
      set[#set + 1] = 'p'
      set[#set + 1] = ARGV[5]
    end
    if older then
      set[#set + 1] = 'older'
      set[#set + 1] = string.format('~%.0f ', now) .. older
    end
    for i = first, #ARGV, 3 do
      local where = string.byte(ARGV[i], 2)
      if where == 111 then
        set[#set + 1] = '.' .. ARGV[i + 1]
        set[#set + 1] = ARGV[i + 2]
      elseif where then
        remove[#remove + 1] = '.' .. ARGV[i + 1]
      end
    end
    -- Before what frees memory: a full Redis refuses a script at its first write or not at all.
    redis.call('HSET', session, unpack(set))
    if #remove > 0 then redis.call('HDEL', session, unpack(remove)) end
  end
  if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end
  return now
end

