-- What a session's hash holds; see the module's documentation. Each further field costs a load more than its bytes
-- do: it is found, sent, received and allocated. So a load asks for the values alone, each of which tells by its first
-- byte what it is, and what is small stands together in one.
--
-- `h` is an 'h', the version, a space, the last event's id, then the second half of each earlier one's that is
-- remembered, the youngest first; those of before are in `older` (see recent.lua): every byte of a string that Lua is given
-- is hashed, and each commit reads `h` and writes it anew. Whatever changes a session changes `h`, so that a commit that finds
-- it as it was loaded need look at nothing else of the session's. `m` is an 'm' and ten words, '-' for what is not known, and
-- then user, method and device as they are. `p` is a 'p' and all values that are small, one behind the other; '.name' is one
-- that is not. Both have, for each value: the version at which it changed in six bytes, the highest bit marking a secret; the
-- length of its name, and its own, or 0 where it is not small, in a byte each; its name; its JSON.
local SMALL = 128

-- The version, the last event's id, and the second halves of all that `h` remembers.
local function head_of(h)
  local space = string.find(h, ' ', 2, true) or 0
  return tonumber(string.sub(h, 2, space - 1)) or 0, string.sub(h, space + 1, space + 16), string.sub(h, space + 9)
end

-- A value of the application's as it is laid out; `stamp` is its version.
local function laid_out(stamp, name, value)
  return stamp .. string.char(#name, #value <= SMALL and #value or 0) .. name .. value
end

-- The value of the key `name`, of that.
local function value_of(field, name)
  return string.sub(field, 9 + #name)
end

-- `p`, taken apart: each value as it is laid out, and which of them is whose.
local function unpacked(p)
  local values, places, at = {}, {}, 2
  while p and at <= #p do
    local name, value = string.byte(p, at + 6, at + 7)
    values[#values + 1] = string.sub(p, at, at + 7 + name + value)
    places[string.sub(p, at + 8, at + 7 + name)] = #values
    at = at + 8 + name + value
  end
  return values, places
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

