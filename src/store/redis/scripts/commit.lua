-- Changes a session that exists: all of the delta or nothing, and the version by exactly one. Behind tell.lua,
-- due.lua and meta.lua.
--
-- KEYS  1 session   2 what became of it   3 epoch; where nobody is told and the session stays where it is, that is all
--       4 audit stream   5 log of events   6 where a renewal moves it to; the session itself where there is no renewal
--       7 where there is no renewal: what was left out of the trail; else the list of what is due
--       8 of a renewal, where somebody is signed in: the user's index (see index.lua)
-- ARGV  1 event id (16 bytes)   2 base version   3 base head (16 bytes)
--       4 idle timeout, ms, or '' where it goes on running
--       5 policy: merge, strict, last     6, 7 entry and event that are told, see tell.lua
--       8 how many bytes the stream may take before the entry is left out, or ''; in front of that 's', if it is
--         then counted, or 'b', if nothing is changed then
--       9 '1' removes every key first     10 the new ref (32 bytes) of a renewal, or ''
--       of a renewal only: 11 its grace, ms   12 hash in the session's key   13 how long to remember, ms
--         14 the absolute lifetime, ms, that a sign-in anew starts again, or ''
--         15 the user who signed in anew     16 by which method, or ''
--         17 the hash in the new key, space, the new ref as text   18 the same of the key that it leaves
--       an entry that begins with {"names_only":true is told no results of operations
--       then for each change three: mode, name, and flag with value as in create.lua ('' to remove)
--         s set, d remove: not watched; S set, D remove: read before, was there; T, E: was not there
--         + add a number, > keep the greater, a put into a set, r take out of it; p push: 'cap:element'
-- Answers
--       {'committed', version, ms, values or false}   values where they may differ from what is known
--       {'conflict', names, values, ms}               nothing changed; no names: the whole session
--       {'gone', reason, ms, device}                  nothing changed
--       {'moved', ref}                                nothing changed
--       {'behind', values, ms, '1' or '0'}            nothing changed; '1': nor by this event in the last 10 s
--       {'taken'}                                     nothing changed; a renewal's address is in use
--       {'full'}                                      nothing changed; the audit stream takes no more
local session = KEYS[1]
local event, base, policy = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local tail = string.sub(event, 9)
local renewal = ARGV[10] ~= ''
local FIRST = renewal and 19 or 11
local entry = ARGV[6]

-- The place of an event in `recent`, counted from 1, or nil.
local function place_of(recent, wanted)
  local at = 0
  repeat
    at = string.find(recent, wanted, at + 1, true)
  until not at or at % 8 == 1
  return at and (at + 7) / 8
end

-- The version in a field's first six bytes. The highest bit marks a secret.
local function version_of(field)
  local a, b, c, d, e, f = string.byte(field, 1, 6)
  return ((((a % 128 * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end

local function committed(version, now, values)
  return {'committed', version, now, values}
end

-- The elements of a JSON array as they are written, or nil where it is none.
local function elements(text)
  local inner = string.match(text, '^%s*%[(.*)%]%s*$')
  if not inner then return nil end
  local list, depth, start, from = {}, 0, 1, 1
  if not string.find(inner, '%S') then return list end
  while true do
    local at = string.find(inner, '[]["{},]', from)
    if not at then break end
    local char = string.byte(inner, at)
    from = at + 1
    if char == 34 then -- a string, to its closing quote
      repeat
        at = string.find(inner, '["\\]', from)
        if not at then return nil end
        char = string.byte(inner, at)
        from = at + (char == 92 and 2 or 1)
      until char == 34
    elseif char == 44 then
      if depth == 0 then
        list[#list + 1] = string.match(string.sub(inner, start, at - 1), '^%s*(.-)%s*$')
        start = from
      end
    else
      depth = depth + ((char == 91 or char == 123) and 1 or -1)
    end
  end
  list[#list + 1] = string.match(string.sub(inner, start), '^%s*(.-)%s*$')
  return list
end

-- What an operation makes of a value's JSON text, which is false where there is none. False: still none.
-- Nil: the value is not what it needs.
local function operate(mode, value, argument)
  if mode == '+' or mode == '>' then
    if value and (#value > 17 or not string.match(value, '^%-?%d+$')) then return nil end
    local by = tonumber(argument)
    local number = value and tonumber(value) or (mode == '+' and 0 or by)
    if mode == '+' then number = number + by else number = math.max(number, by) end
    if math.abs(number) > 9007199254740991 or value and math.abs(tonumber(value)) > 9007199254740991 then
      return nil
    end
    return number == 0 and '0' or string.format('%.0f', number)
  end
  local list = {}
  if value then
    list = elements(value)
    if not list then return nil end
  end
  if mode == 'p' then
    local colon = string.find(argument, ':', 1, true)
    local cap = tonumber(string.sub(argument, 1, colon - 1))
    list[#list + 1] = string.sub(argument, colon + 1)
    return '[' .. table.concat(list, ',', math.max(1, #list - cap + 1)) .. ']'
  end
  if mode == 'r' and not value then return false end
  local kept, there = {}, false
  for _, element in ipairs(list) do
    there = there or element == argument
    if mode == 'a' or element ~= argument then kept[#kept + 1] = element end
  end
  if mode == 'a' and not there then kept[#kept + 1] = argument end
  return '[' .. table.concat(kept, ',') .. ']'
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local was = redis.call('HMGET', session, 'v', 'h', 'm')
if not was[1] then
  if renewal then
    local new = redis.call('HMGET', KEYS[6], 'v', 'h')
    local known = new[1] and recent_of(KEYS[6], new[2])
    local place = known and place_of(known, tail)
    if place then
      return committed(new[1] - (#known / 8 - place), now, redis.call('HVALS', KEYS[6]))
    end
  end
  local x = redis.call('HMGET', KEYS[2], 'kind', 'to', 'reason', 'at', 'device', 'until')
  if x[1] == 'moved' then
    if now < tonumber(x[6]) then return {'moved', x[2]} end
    return {'gone', 'replayed', x[6], ''}
  end
  return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}
end
local epoch, deadline = string.match(was[3], '^m (%d+) (%d+) ')
if tonumber(epoch) < tonumber(redis.call('GET', KEYS[3]) or '0') then
  return {'gone', 'epoch', '', ''}
end
if now >= tonumber(deadline) then
  return {'gone', 'absolute', deadline, ''}
end

local current, heads, head = tonumber(was[1]), was[2], head_of(was[2])
local function conflict(names)
  return {'conflict', names, redis.call('HVALS', session), now}
end
local merges = not (current == base and head == ARGV[3])
local names = {}
if merges then
  local recent = recent_of(session, heads)
  local known = #recent / 8
  local place = place_of(recent, tail)
  if place then
    return committed(current - (known - place), now, redis.call('HVALS', session))
  end
  if base >= current then return conflict({}) end
  place = known - (current - base)
  if place < 1 then
    -- As long as fewer are remembered, these are all of the last ten seconds.
    return {'behind', redis.call('HVALS', session), now, known < 256 and '1' or '0'}
  end
  if string.sub(recent, place * 8 - 7, place * 8) ~= string.sub(ARGV[3], 9) then
    return conflict({})
  end
  if policy == 'strict' then return conflict({}) end
  if policy == 'merge' then
    for i = FIRST, #ARGV, 3 do
      local mode = ARGV[i]
      if mode == 'S' or mode == 'T' or mode == 'D' or mode == 'E' then
        local field = redis.call('HGET', session, '.' .. ARGV[i + 1])
        if field then
          if version_of(field) > base then names[#names + 1] = ARGV[i + 1] end
        elseif mode == 'S' or mode == 'D' then
          names[#names + 1] = ARGV[i + 1]
        end
      end
    end
  end
end

-- A field begins with its version in six bytes, the highest bit marking a secret.
local version = current + 1
local high, low = math.floor(version / 4294967296), version % 4294967296
local plain, secret = struct.pack('>I2I4', high, low), nil
local counted = string.format('%.0f', version)
local set, remove, results, told = {'v', counted}, {}, nil, nil
for i = FIRST, #ARGV, 3 do
  local mode, name, flagged = ARGV[i], '.' .. ARGV[i + 1], ARGV[i + 2]
  local value
  if mode == 's' or mode == 'S' or mode == 'T' then
    value = string.sub(flagged, 2)
  elseif mode ~= 'd' and mode ~= 'D' and mode ~= 'E' then
    results = results or {}
    value = results[name]
    if value == nil then
      value = ARGV[9] ~= '1' and redis.call('HGET', session, name)
      value = value and value_of(value, ARGV[i + 1])
    end
    value = operate(mode, value, string.sub(flagged, 2))
    if value == nil then
      names[#names + 1] = ARGV[i + 1]
      value = false
    end
    results[name] = value
    -- Of several operations on one key, the last one's result is told.
    if ARGV[i + 4] == ARGV[i + 1] then
      name = nil
    elseif value and string.byte(flagged) == 0 then
      told = told or {}
      told[#told + 1] = name
      told[#told + 1] = value
    end
  end
  if name and value then
    local stamp = plain
    if string.byte(flagged) ~= 0 then
      secret = secret or struct.pack('>I2I4', high + 32768, low)
      stamp = secret
    end
    set[#set + 1] = name
    set[#set + 1] = stamp .. named(ARGV[i + 1]) .. value
  elseif name then
    remove[#remove + 1] = name
  end
end
if #names > 0 then return conflict(names) end
if renewal and redis.call('EXISTS', KEYS[6]) == 1 then return {'taken'} end
local anew = renewal and ARGV[14] ~= ''
local before = renewal and meta_of(was[3])
local handle = renewal and before.handle
local listed = KEYS[8] and handle and redis.call('HMGET', KEYS[8], handle, 'rev')

-- Fewer entries are not even measured: that is what waits while PostgreSQL keeps up.
local full = ARGV[8] ~= '' and redis.call('XLEN', KEYS[4]) >= 128
  and redis.call('MEMORY', 'USAGE', KEYS[4]) >= tonumber(string.sub(ARGV[8], 2))
if full and string.byte(ARGV[8]) == 98 then return {'full'} end
if full then
  local at = string.format('%.0f', now)
  redis.call('HINCRBY', KEYS[7], 'changes', 1)
  redis.call('HSETNX', KEYS[7], 'since', at)
  redis.call('HSET', KEYS[7], 'until', at)
  -- Who watches is told all the same.
  entry = ''
end
-- At the entry's beginning no value of a visitor's can stand.
if told and string.sub(entry, 1, 18) == '{"names_only":true' then told = nil end

-- The audit entry is the first write: a script that fails here has changed nothing.
tell(KEYS[4], KEYS[5], counted, head, entry, ARGV[7], unpack(told or {}))
if ARGV[9] == '1' then
  for _, name in ipairs(redis.call('HKEYS', session)) do
    if string.byte(name) == 46 then redis.call('HDEL', session, name) end
  end
end
-- `h` remembers the last 1 to 16 events. What is cut off goes to `older`, which holds the 32 before at least, and every
-- event of the ten seconds before, up to 256 in all.
local cut = (#heads - 9) / 8
if cut > 15 then
  local added_at, older = older_of(session)
  -- Then all of these are older than that.
  if now - added_at > 10000 then older = string.sub(older, -32 * 8) end
  older = older .. string.sub(heads, 10, 9 + cut * 8)
  set[#set + 1] = 'older'
  set[#set + 1] = string.format('~%.0f ', now) .. string.sub(older, -256 * 8)
else
  cut = 0
end
set[#set + 1] = 'h'
set[#set + 1] = 'h' .. string.sub(event, 1, 8) .. string.sub(heads, 10 + cut * 8) .. tail
local at = renewal and string.format('%.0f', now)
local after = renewal and meta_of(was[3])
if anew then
  after.deadline, after.user, after.method = string.format('%.0f', now + ARGV[14]), ARGV[15], ARGV[16]
  after.auth_at = at
  -- Nobody follows from the token before.
  after.from, after.renewed = nil, nil
elseif renewal then
  after.from, after.renewed = ARGV[12], at
end
if renewal then
  set[#set + 1] = 'm'
  set[#set + 1] = meta(after)
end
redis.call('HSET', session, unpack(set))
if #remove > 0 then redis.call('HDEL', session, unpack(remove)) end
if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end
if renewal then
  redis.call('RENAME', session, KEYS[6])
  redis.call('ZREM', KEYS[7], due_name(ARGV[18], before.deadline, handle, before.user))
  -- Where the idle time goes on running, the sweep is asked to look at once, and finds how long that is.
  local due_at = math.min(now + (tonumber(ARGV[4]) or 0), tonumber(after.deadline))
  redis.call('ZADD', KEYS[7], string.format('%.0f', due_at), due_name(ARGV[17], after.deadline, handle, after.user))
  if anew then
    redis.call('HSET', KEYS[2], 'kind', 'ended', 'reason', 'replaced', 'at', at, 'by', event)
  else
    local grace = string.format('%.0f', now + ARGV[11])
    redis.call('HSET', KEYS[2], 'kind', 'moved', 'to', ARGV[10], 'until', grace)
  end
  redis.call('PEXPIRE', KEYS[2], ARGV[13])
end
-- Its entry in the user's index moves along, under the same handle.
local rest = listed and listed[1] and string.match(listed[1], '^%S+ %S+ (.*)$')
if rest and anew then
  local began, told = string.match(rest, '^(%d+ %d+ %d+ %d+) %d+ %d+ (.*)$')
  told = cjson.decode(told)
  told.method = ARGV[16] ~= '' and ARGV[16] or nil
  rest = string.format('%s %.0f %s %s', began, now + ARGV[14], at, cjson.encode(told))
end
if rest then
  redis.call('HSET', KEYS[8], handle, ARGV[17] .. ' ' .. rest,
    'rev', string.format('%.0f', (listed[2] or 0) + 1))
  if anew and redis.call('PTTL', KEYS[8]) < tonumber(ARGV[14]) then
    redis.call('PEXPIRE', KEYS[8], ARGV[14])
  end
end
return committed(version, now, merges and redis.call('HVALS', KEYS[6] or session))
