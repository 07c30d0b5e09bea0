-- The last events of a session, which tell a repeated commit and a lost history: the second halves of their ids, the
-- youngest first. `h` holds the last 1 to 16; `older` holds, behind a '~', the time when it was last added to, and a
-- space, the 32 before at least, and every event of the ten seconds before, up to 256 in all. `heads.rs` has the same rules.

-- When `older` was last added to, and what it holds.
local function older_of(session)
  local at, tails = string.match(redis.call('HGET', session, 'older') or '', '^~(%d+) (.*)$')
  return tonumber(at or '0'), tails or ''
end

-- All that are remembered; `recent` are those of `h`.
local function recent_of(session, recent)
  local _, older = older_of(session)
  return recent .. older
end

-- What `h` keeps of these beside one more. Where there is no room for that, they go to `older`, as `set` is told.
local function remembered(session, recent, now, set)
  if #recent < 16 * 8 then return recent end
  local added_at, older = older_of(session)
  -- Then all of these are older than that.
  if now - added_at > 10000 then older = string.sub(older, 1, 32 * 8) end
  set[#set + 1] = 'older'
  set[#set + 1] = string.format('~%.0f ', now) .. string.sub(recent .. older, 1, 256 * 8)
  return ''
end

