-- The name of a session in the list of what is due, a sorted set whose scores say when (ms): the hash in its key
-- and its ref, its deadline, its handle or '-', and its user or nothing, with a space between each two. All but
-- the first two are the session's own fields, so that whoever ends or moves it finds the name again.
local function due_name(place, deadline, handle, user)
  return table.concat({place, deadline, handle or '-', user or ''}, ' ')
end

