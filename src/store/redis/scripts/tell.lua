-- Tells the audit trail and whoever watches what a script does, as far as they are there. It stands in front of
-- every script that changes something, and is called before the first write, with a text that is one of
--   ''                        nobody is told
--   JSON                      an entry of the audit trail
--   'E' JSON, newline, JSON   an event, and an entry or nothing
-- and, for the entry, further fields. The log of events has a channel of the same name.
local function tell(audit, log, version, head, text, ...)
  local event
  if string.byte(text) == 69 then
    local cut = string.find(text, '\n', 1, true)
    event, text = string.sub(text, 2, cut - 1), string.sub(text, cut + 1)
  end
  if text ~= '' then redis.call('XADD', audit, '*', 'v', version, 'p', head, 'e', text, ...) end
  if event then
    -- By pcall: an event that can't be told must not end the script between two writes.
    local id = redis.pcall('XADD', log, 'MAXLEN', '~', '10000', '*', 'v', version, 'e', event)
    if type(id) == 'string' then redis.pcall('PUBLISH', log, id .. ' ' .. version .. ' ' .. event) end
  end
end

