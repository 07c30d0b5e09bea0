-- Whether the entry of this id in the stream is there, and its payload begins so. It stands in front of scripts that
-- take entries away.
local function same(stream, id, beginning)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then return false end
  local fields, payload = entry[2], ''
  for i = 1, #fields, 2 do
    if fields[i] == 'e' then payload = fields[i + 1] end
  end
  return string.sub(payload, 1, #beginning) == beginning
end
