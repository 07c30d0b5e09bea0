-- What a session's hash holds; see the module's documentation. Each further field costs a load more than its bytes
-- do: it is found, sent, received and allocated. Half of that are names, and a load asks for values alone: each tells
-- by its first byte what it is, and one of the application's holds its name.
--
-- `v` is the version. `h` is an 'h', the first half of the last event's id, then the second half of each recent one's,
-- the last at the end; those of before are in `older`, behind a '~', the time when it was last added to, and a space:
-- every byte of a string that Lua makes is hashed, and each commit makes `h` anew. `m` is an 'm' and ten words, '-' for
-- what is not known, and then user, method and device as they are.

-- The last event's id, of `h`.
local function head_of(h)
  return string.sub(h, 2, 9) .. string.sub(h, -8)
end

-- When `older` was last added to, and what it holds.
local function older_of(session)
  local at, tails = string.match(redis.call('HGET', session, 'older') or '', '^~(%d+) (.*)$')
  return tonumber(at or '0'), tails or ''
end

-- The second halves of all that are remembered.
local function recent_of(session, h)
  local _, older = older_of(session)
  return older .. string.sub(h, 10)
end

-- What stands in front of the value of the application's key `name`, behind the six bytes of its version.
local function named(name)
  return string.char(#name) .. name
end

-- The value of the application's key `name`, of its field.
local function value_of(field, name)
  return string.sub(field, 8 + #name)
end

-- `m`, taken apart. Numbers stay text.
local function meta_of(m)
  local epoch, deadline, created, class, auth_at, handle, renewed, from, user, method, texts =
    string.match(m, '^m (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%d+) (%d+) (.*)$')
  local rest = user + method + 1
  return {
    epoch = epoch, deadline = deadline, created = created, class = class, auth_at = auth_at,
    handle = handle ~= '-' and handle, renewed = renewed, from = from,
    user = string.sub(texts, 1, user), method = string.sub(texts, user + 1, rest - 1),
    device = string.sub(texts, rest),
  }
end

-- And put together again.
local function meta(of)
  return table.concat({
    'm', of.epoch, of.deadline, of.created, of.class, of.auth_at or '-', of.handle or '-', of.renewed or '-',
    of.from or '-', #of.user, #of.method, of.user .. of.method .. of.device,
  }, ' ')
end

