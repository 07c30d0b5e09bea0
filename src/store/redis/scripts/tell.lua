-- Tells the audit trail and whoever watches what a script does, as far as they are there. It stands in front of
-- every script that changes something, and is called before the first write, with an entry and an event, JSON both,
-- '' where nobody is told; and, for the entry, further fields. The log of events has a channel of the same name.
local function tell(audit, log, version, head, entry, event, ...)
  if entry ~= '' then redis.call('XADD', audit, '*', 'v', version, 'p', head, 'e', entry, ...) end
  if event ~= '' then
    -- By pcall: an event that can't be told must not end the script between two writes.
    local id = redis.pcall('XADD', log, 'MAXLEN', '~', '10000', '*', 'v', version, 'e', event)
    if type(id) == 'string' then redis.pcall('PUBLISH', log, id .. ' ' .. version .. ' ' .. event) end
  end
end

-- Entry and event of a text that is one of
--   ''                        neither
--   JSON                      an entry
--   'E' JSON, newline, JSON   an event, and an entry or nothing
-- A commit takes them apart from the beginning: each byte of a string that Lua makes is hashed.
local function apart(text)
  if string.byte(text) ~= 69 then return text, '' end
  local cut = string.find(text, '\n', 1, true)
  return string.sub(text, cut + 1), string.sub(text, 2, cut - 1)
end

