-- Changes a session that exists: all of the delta or nothing, and the version by exactly one.
--
-- KEYS  1 session   2 what became of it   3 epoch   4 audit stream
--       5 where a renewal moves it to; the session itself where there is no renewal
-- ARGV  1 event id (16 bytes)   2 base version   3 base head (16 bytes)   4 idle timeout, ms
--       5 policy: merge, strict, last     6 audit payload, or ''          7 '1' removes every key first
--       8 the new ref (32 bytes) of a renewal, or ''    9 its grace, ms   10 hash in the session's key
--       then for each change three: mode, name, and flag with value as in create.lua ('' to remove)
--         s set, d remove: not watched; S set, D remove: read before, was there; T, E: was not there
-- Answers
--       {'committed', version, ms, fields or false}   fields where others committed since the base
--       {'conflict', names, fields, ms}               nothing changed; no names: the whole session
--       {'gone', reason, ms, device}                  nothing changed
--       {'moved', ref}                                nothing changed
--       {'unknown'}                                   nothing changed
local session = KEYS[1]
local event, base, policy = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local tail = string.sub(event, 9)
local renewal = ARGV[8] ~= ''
local FIRST = 11

-- The place of an event in `recent`, counted from 1, or nil.
local function place_of(recent, wanted)
  for i = 1, #recent, 8 do
    if string.sub(recent, i, i + 7) == wanted then return (i + 7) / 8 end
  end
end

-- The version in a field's first six bytes. The highest bit marks a secret.
local function version_of(field)
  local a, b, c, d, e, f = string.byte(field, 1, 6)
  return ((((a % 128 * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end

local function committed(version, now, fields)
  return {'committed', string.format('%.0f', version), now, fields}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format('%.0f', now)

local was = redis.call('HMGET', session, 'v', 'head', 'recent', 'epoch', 'deadline', 'mark')
if not was[1] then
  if renewal then
    local new = redis.call('HMGET', KEYS[5], 'v', 'recent')
    local place = new[1] and place_of(new[2], tail)
    if place then return committed(new[1] - (#new[2] / 8 - place), at, false) end
  end
  local x = redis.call('HMGET', KEYS[2], 'kind', 'to', 'reason', 'at', 'device')
  if x[1] == 'moved' then return {'moved', x[2]} end
  return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}
end
if tonumber(was[4]) < tonumber(redis.call('GET', KEYS[3]) or '0') then
  return {'gone', 'epoch', '', ''}
end
if now >= tonumber(was[5]) then
  return {'gone', 'absolute', was[5], ''}
end

local current, head, recent = tonumber(was[1]), was[2], was[3]
local merges = not (current == base and head == ARGV[3])
if merges then
  local known = #recent / 8
  local place = place_of(recent, tail)
  if place then
    return committed(current - (known - place), at, false)
  end
  local function conflict(names)
    return {'conflict', names, redis.call('HGETALL', session), at}
  end
  if base >= current then return conflict({}) end
  place = known - (current - base)
  if place < 1 then return {'unknown'} end
  if string.sub(recent, place * 8 - 7, place * 8) ~= string.sub(ARGV[3], 9) then
    return conflict({})
  end
  if policy == 'strict' then return conflict({}) end
  if policy == 'merge' then
    local names = {}
    for i = FIRST, #ARGV, 3 do
      local mode = ARGV[i]
      if mode ~= 's' and mode ~= 'd' then
        local field = redis.call('HGET', session, '.' .. ARGV[i + 1])
        if field then
          if version_of(field) > base then names[#names + 1] = ARGV[i + 1] end
        elseif mode == 'S' or mode == 'D' then
          names[#names + 1] = ARGV[i + 1]
        end
      end
    end
    if #names > 0 then return conflict(names) end
  end
end
if renewal and redis.call('EXISTS', KEYS[5]) == 1 then return {'unknown'} end

local version = current + 1
-- The audit entry is the first write: a script that fails here has changed nothing.
if ARGV[6] ~= '' then
  redis.call('XADD', KEYS[4], '*', 'v', string.format('%.0f', version), 'p', head, 'e', ARGV[6])
end
if ARGV[7] == '1' then
  for _, name in ipairs(redis.call('HKEYS', session)) do
    if string.byte(name) == 46 then redis.call('HDEL', session, name) end
  end
end
local set = {'v', string.format('%.0f', version), 'head', event}
-- The last 32 events are remembered, and those of the last ten seconds up to 256: `mark` says when
-- `recent` was last cut and how many it had then, all of them older than that.
recent = recent .. tail
local known = #recent / 8
if known > 32 then
  local since, old = string.match(was[6] or '', '^(%d+) (%d+)$')
  local drop = 0
  if not since then
    since, old = at, known
  elseif now - since > 10000 then
    drop = math.min(old, known - 32)
    since, old = at, known - drop
  elseif known > 256 then
    drop = 1
    old = math.max(0, old - 1)
  end
  recent = string.sub(recent, drop * 8 + 1)
  set[#set + 1] = 'mark'
  set[#set + 1] = string.format('%s %d', since, old)
end
set[#set + 1] = 'recent'
set[#set + 1] = recent
local remove = {}
-- A field begins with its version in six bytes, the highest bit marking a secret.
local high, low = math.floor(version / 4294967296), version % 4294967296
local plain, secret = struct.pack('>I2I4', high, low), nil
for i = FIRST, #ARGV, 3 do
  local mode, name = ARGV[i], '.' .. ARGV[i + 1]
  if mode == 's' or mode == 'S' or mode == 'T' then
    local flagged, stamp = ARGV[i + 2], plain
    if string.byte(flagged) ~= 0 then
      secret = secret or struct.pack('>I2I4', high + 32768, low)
      stamp = secret
    end
    set[#set + 1] = name
    set[#set + 1] = stamp .. string.sub(flagged, 2)
  else
    remove[#remove + 1] = name
  end
end
if renewal then
  set[#set + 1] = 'from'
  set[#set + 1] = ARGV[10]
  set[#set + 1] = 'renewed'
  set[#set + 1] = at
end
redis.call('HSET', session, unpack(set))
if #remove > 0 then redis.call('HDEL', session, unpack(remove)) end
redis.call('PEXPIRE', session, ARGV[4])
if renewal then
  redis.call('RENAME', session, KEYS[5])
  redis.call('HSET', KEYS[2], 'kind', 'moved', 'to', ARGV[8])
  redis.call('PEXPIRE', KEYS[2], ARGV[9])
end
return committed(version, at, merges and redis.call('HGETALL', KEYS[5]))
