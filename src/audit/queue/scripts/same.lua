-- Whether the payload among these fields of an entry begins so. It stands in front of scripts that take entries away.
local function begins(fields, beginning)
  for i = 1, #fields, 2 do
    if fields[i] == 'e' then return string.find(fields[i + 1], beginning, 1, true) == 1 end
  end
  return beginning == ''
end
