-- What a session's hash holds beside the application's keys; see the module's documentation. Each further field costs
-- a load more than its bytes do: it is found, sent, received and allocated.
--
-- `v` is the version. `h` is the first half of the last event's id, then the second half of each recent one's, the
-- last at the end. `m` is ten words, '-' for what is not known, and then user, method and device as they are.

-- The last event's id, of `h`.
local function head_of(h)
  return string.sub(h, 1, 8) .. string.sub(h, -8)
end

-- `m`, taken apart. Numbers stay text.
local function meta_of(m)
  local epoch, deadline, created, class, auth_at, handle, renewed, from, user, method, texts =
    string.match(m, '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%d+) (%d+) (.*)$')
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
    of.epoch, of.deadline, of.created, of.class, of.auth_at or '-', of.handle or '-', of.renewed or '-',
    of.from or '-', #of.user, #of.method, of.user .. of.method .. of.device,
  }, ' ')
end

