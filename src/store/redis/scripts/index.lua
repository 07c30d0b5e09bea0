-- What the scripts share that read or change the index of a user's sessions. It stands in front of them,
-- behind tell.lua, due.lua and meta.lua.
--
-- The index is a hash. `rev` counts its changes. `gen` is when all sessions were last revoked (ms), `gen_by`
-- by which event, `gen_why` for which reason. '+' and a handle is a place that a sign-in under way holds,
-- until so many ms. A handle alone is a session: the hash in its key, its ref, the generation and the epoch
-- under which it began, its idle timeout, when it was created, its deadline, when the user signed in (all
-- ms), and JSON of how, from which device and from where, with a space between each two.
local PLACE = 43

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Which members are alive, which fields of the index are of no use any more, and how many places are held.
-- `members` is a list of tables with a handle and a session key.
local function census(index, members, epoch, now)
  local live, useless, held, entries = {}, {}, 0, {}
  local all = redis.call('HGETALL', index)
  for i = 1, #all, 2 do
    if string.byte(all[i]) == PLACE then
      if (tonumber(all[i + 1]) or 0) > now then held = held + 1 else useless[#useless + 1] = all[i] end
    else
      entries[all[i]] = all[i + 1]
    end
  end
  for _, member in ipairs(members) do
    local hash, ref, began, idle, created, deadline =
      string.match(entries[member.handle] or '', '^(%S+) (%S+) %d+ (%d+) (%d+) (%d+) (%d+) ')
    local left = redis.call('PTTL', member.session)
    if hash and left >= 0 and now < tonumber(deadline) and tonumber(began) >= epoch then
      member.hash, member.place, member.created = hash, hash .. ' ' .. ref, tonumber(created)
      -- The idle timeout starts again with every use.
      member.used = now + left - idle
      live[#live + 1] = member
    elseif entries[member.handle] then
      useless[#useless + 1] = member.handle
    end
  end
  return live, useless, held
end

-- Removes fields; a thousand at a time, since Lua's stack is not endless.
local function drop(index, names)
  for i = 1, #names, 1000 do
    redis.call('HDEL', index, unpack(names, i, math.min(i + 999, #names)))
  end
end

-- Lets the index live for so long at least: a member must never outlive it.
local function lengthen(index, span)
  if redis.call('PTTL', index) < tonumber(span) then redis.call('PEXPIRE', index, span) end
end

-- What its end needs to know of a session; nothing where there is none.
local function end_of(session)
  local was = redis.call('HMGET', session, 'h', 'm')
  if not was[1] then return nil end
  local known, version = meta_of(was[2]), nil
  version, known.head = head_of(was[1])
  known.version = string.format('%.0f', version + 1)
  return known
end

-- Tells of a session's end; `was` is what `end_of` answered.
local function tell_end(audit, log, was, text)
  tell(audit, log, was.version, was.head, apart(text))
end

-- Ends a session and remembers why; `device` is the one that wants it, or ''. `member` is a table with the keys of
-- the session and of what becomes of it, `was` as above, its place and handle, and the event of its end.
local function finish(due, member, reason, at, remember, device)
  local aftermath, was = member.aftermath, member.was
  redis.call('HSET', aftermath, 'kind', 'ended', 'reason', reason, 'at', at, 'by', member.event)
  if device == '' then device = was.device end
  if device ~= '' then redis.call('HSET', aftermath, 'device', device) end
  redis.call('PEXPIRE', aftermath, remember)
  redis.call('DEL', member.session)
  redis.call('ZREM', due, due_name(member.place, was.deadline, member.handle, was.user))
end

