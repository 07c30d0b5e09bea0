-- The rest of commit.lua, which says what KEYS and ARGV are: what others did meanwhile, operations, renewals. Behind
-- that, recent.lua, due.lua and meta.lua.
local from, base = head_of(ARGV[1])
local _, event = head_of(ARGV[2])
local tail = string.sub(event, 9)
local renewal, clear = string.find(ARGV[3], 'r', 2, true), string.find(ARGV[3], 'c', 2, true)
local policy = string.byte(ARGV[3])
local new_ref, grace, hash, remember, absolute, user, method, new_place, old_place
if renewal then
  new_ref, grace, hash, remember, absolute, user, method, new_place, old_place = unpack(ARGV, first, first + 8)
  first = first + 9
end

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

if not heads then
  if renewal then
    local new = redis.call('HGET', KEYS[7], 'h')
    if new then
      local version, _, recent = head_of(new)
      local place = place_of(recent_of(KEYS[7], recent), tail)
      if place then return committed(version + 1 - place, now, redis.call('HVALS', KEYS[7])) end
    end
  end
  local x = redis.call('HMGET', KEYS[2], 'kind', 'to', 'reason', 'at', 'device', 'until')
  if x[1] == 'moved' then
    if now < tonumber(x[6]) then return {'moved', x[2]} end
    return {'gone', 'replayed', x[6], ''}
  end
  return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}
end

local known = redis.call('HGET', session, 'm')
local epoch, deadline = string.match(known, '^m (%d+) (%d+) ')
if tonumber(epoch) < tonumber(redis.call('GET', KEYS[3]) or '0') then
  return {'gone', 'epoch', '', ''}
end
if now >= tonumber(deadline) then
  return {'gone', 'absolute', deadline, ''}
end

local values, places = unpacked(redis.call('HGET', session, 'p'))
-- A key's value as it is laid out, or false.
local function stored(name)
  local place = places[name]
  return place and values[place] or redis.call('HGET', session, '.' .. name)
end

local last, head, recent = head_of(heads)
local current = last == from and head == base
local function conflict(names)
  return {'conflict', names, redis.call('HVALS', session), now}
end
local names = {}
if not current then
  local events = recent_of(session, recent)
  local place = place_of(events, tail)
  if place then
    return committed(last + 1 - place, now, redis.call('HVALS', session))
  end
  if from >= last then return conflict({}) end
  place = last - from + 1
  if place * 8 > #events then
    -- As long as fewer are remembered, these are all of the last ten seconds.
    return {'behind', redis.call('HVALS', session), now, #events < 256 * 8 and '1' or '0'}
  end
  if string.sub(events, place * 8 - 7, place * 8) ~= string.sub(base, 9) then
    return conflict({})
  end
  if policy == 115 then return conflict({}) end
  if policy == 109 then
    for i = first, #ARGV, 3 do
      local mode = string.sub(ARGV[i], 1, 1)
      if mode == 'S' or mode == 'T' or mode == 'D' or mode == 'E' then
        local field = stored(ARGV[i + 1])
        if field then
          if version_of(field) > from then names[#names + 1] = ARGV[i + 1] end
        elseif mode == 'S' or mode == 'D' then
          names[#names + 1] = ARGV[i + 1]
        end
      end
    end
  end
end

-- What is to be written: `p` if it is another, fields that are set, fields that go.
local packs, set, remove = false, {}, {}
if clear then values, places, packs = {}, {}, true end
local function put(name, field)
  local place = places[name]
  local small = field and string.byte(field, 8) > 0
  if small and place then
    values[place], packs = field, true
  elseif small then
    values[#values + 1], packs = field, true
    places[name] = #values
  elseif place then
    values[place], packs = '', true
    places[name] = nil
  end
  if field and not small then
    set[#set + 1] = '.' .. name
    set[#set + 1] = field
  elseif not place then
    remove[#remove + 1] = '.' .. name
  end
end

local version = last + 1
local high, low = math.floor(version / 4294967296), version % 4294967296
local plain, secret = struct.pack('>I2I4', high, low), struct.pack('>I2I4', high + 32768, low)
local counted = string.format('%.0f', version)
local results, told = {}, nil
for i = first, #ARGV, 3 do
  local mode, name, given = string.sub(ARGV[i], 1, 1), ARGV[i + 1], ARGV[i + 2]
  if mode == 's' or mode == 'S' or mode == 'T' then
    put(name, (string.byte(given) > 127 and secret or plain) .. string.sub(given, 7))
  elseif mode == 'd' or mode == 'D' or mode == 'E' then
    put(name, nil)
  else
    local value = results[name]
    if value == nil then
      local field = not clear and stored(name)
      value = field and value_of(field, name)
    end
    value = operate(mode, value, string.sub(given, 2))
    if value == nil then
      names[#names + 1] = name
      value = false
    end
    results[name] = value
    -- Of several operations on one key, the last one's result is what is kept and told.
    if ARGV[i + 4] ~= name then
      local hidden = string.byte(given) ~= 0
      put(name, value and laid_out(hidden and secret or plain, name, value))
      if value and not hidden then
        told = told or {}
        told[#told + 1] = '.' .. name
        told[#told + 1] = value
      end
    end
  end
end
if #names > 0 then return conflict(names) end
if clear then
  local stays = {}
  for i = 1, #set, 2 do stays[set[i]] = true end
  remove = {}
  for _, name in ipairs(redis.call('HKEYS', session)) do
    if string.byte(name) == 46 and not stays[name] then remove[#remove + 1] = name end
  end
end
if renewal and redis.call('EXISTS', KEYS[7]) == 1 then return {'taken'} end
local anew = renewal and absolute ~= ''
local before = renewal and meta_of(known)
local handle = renewal and before.handle
local listed = KEYS[8] and handle and redis.call('HMGET', KEYS[8], handle, 'rev')

if full and string.byte(limit) == 98 then return {'full'} end
if full then
  local at = string.format('%.0f', now)
  redis.call('HINCRBY', KEYS[6], 'changes', 1)
  redis.call('HSETNX', KEYS[6], 'since', at)
  redis.call('HSET', KEYS[6], 'until', at)
  -- Who watches is told all the same.
  entry = ''
end
-- At the entry's beginning no value of a visitor's can stand.
if told and string.sub(entry, 1, 18) == '{"names_only":true' then told = nil end

-- The audit entry is the first write: a script that fails here has changed nothing.
tell(KEYS[4], KEYS[5], counted, head, entry, notice, unpack(told or {}))
if packs then
  set[#set + 1] = 'p'
  set[#set + 1] = 'p' .. table.concat(values)
end
recent = remembered(session, recent, now, set)
set[#set + 1] = 'h'
set[#set + 1] = 'h' .. counted .. ' ' .. event .. recent
local at = renewal and string.format('%.0f', now)
local after = renewal and meta_of(known)
if anew then
  after.deadline, after.user, after.method = string.format('%.0f', now + absolute), user, method
  after.auth_at = at
  -- Nobody follows from the token before.
  after.from, after.renewed = nil, nil
elseif renewal then
  after.from, after.renewed = hash, at
end
if renewal then
  set[#set + 1] = 'm'
  set[#set + 1] = meta(after)
end
-- Before what frees memory: a full Redis refuses a script at its first write or not at all.
redis.call('HSET', session, unpack(set))
if #remove > 0 then redis.call('HDEL', session, unpack(remove)) end
if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end
if renewal then
  redis.call('RENAME', session, KEYS[7])
  redis.call('ZREM', KEYS[6], due_name(old_place, before.deadline, handle, before.user))
  -- Where the idle time goes on running, the sweep is asked to look at once, and finds how long that is.
  local due_at = math.min(now + (tonumber(ARGV[4]) or 0), tonumber(after.deadline))
  redis.call('ZADD', KEYS[6], string.format('%.0f', due_at), due_name(new_place, after.deadline, handle, after.user))
  if anew then
    redis.call('HSET', KEYS[2], 'kind', 'ended', 'reason', 'replaced', 'at', at, 'by', event)
  else
    local ends = string.format('%.0f', now + grace)
    redis.call('HSET', KEYS[2], 'kind', 'moved', 'to', new_ref, 'until', ends)
  end
  redis.call('PEXPIRE', KEYS[2], remember)
end
-- Its entry in the user's index moves along, under the same handle.
local rest = listed and listed[1] and string.match(listed[1], '^%S+ %S+ (.*)$')
if rest and anew then
  local began, told = string.match(rest, '^(%d+ %d+ %d+ %d+) %d+ %d+ (.*)$')
  told = cjson.decode(told)
  told.method = method ~= '' and method or nil
  rest = string.format('%s %.0f %s %s', began, now + absolute, at, cjson.encode(told))
end
if rest then
  redis.call('HSET', KEYS[8], handle, new_place .. ' ' .. rest,
    'rev', string.format('%.0f', (listed[2] or 0) + 1))
  if anew and redis.call('PTTL', KEYS[8]) < tonumber(absolute) then
    redis.call('PEXPIRE', KEYS[8], absolute)
  end
end
return committed(version, now, not current and redis.call('HVALS', renewal and KEYS[7] or session))
