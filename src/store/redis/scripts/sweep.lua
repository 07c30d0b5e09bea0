-- Looks after sessions whose time may be up. Behind `#!lua flags=allow-oom`, since it must go on when Redis is full,
-- and tell.lua. Safe to repeat, and to run many times at once: what is off the list or was put off is passed over.
--
-- KEYS  1 list of what is due (see due.lua)   2 audit stream   3 log of events   4 epoch
--       then for each candidate three: session, what became of it, its user's index or, where it has none, the list
-- ARGV  1 how long to remember, ms
--       then for each candidate five: its name in the list, its score as it was read, the reason of its end if it
--         is gone, event id of that end (16 bytes), what is told of it
-- Answers
--       {'swept', how many it ended, {}}   in the list two for each that is there and void: its place among the
--         candidates, counted from 0, and the reason. These are still to be ended.
local due, audit, log = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = tonumber(redis.call('GET', KEYS[4]) or '0')
local ended, void = 0, {}

for n = 0, (#ARGV - 6) / 5 do
  local first = 5 * n + 2
  local name, score, reason, event = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3]
  local session, aftermath, index = KEYS[3 * n + 5], KEYS[3 * n + 6], KEYS[3 * n + 7]
  local listed = redis.call('ZSCORE', due, name)
  if listed and tonumber(listed) == tonumber(score) then
    local hash, deadline, handle = string.match(name, '^(%S+) %S+ (%d+) (%S+) ')
    local known = redis.call('HGET', session, 'm')
    if known then
      local began, ends = string.match(known, '^m (%d+) (%d+) ')
      deadline = tonumber(ends)
      local over = tonumber(began) < epoch and 'epoch' or now >= deadline and 'absolute'
      if over then
        void[#void + 1] = tostring(n)
        void[#void + 1] = over
      else
        -- Loads and commits restart the idle time without a word to this list. A key that has no end is looked at again.
        local ends = redis.call('PEXPIRETIME', session)
        if ends < 0 then ends = now end
        redis.call('ZADD', due, string.format('%.0f', math.min(ends, deadline)), name)
      end
    elseif redis.call('EXISTS', aftermath) == 1 then
      redis.call('ZREM', due, name)
    else
      local entry = handle ~= '-' and redis.call('HGET', index, handle)
      -- Version and last event went with the session.
      tell(audit, log, '0', string.rep('\0', 16), apart(ARGV[first + 4]))
      redis.call('HSET', aftermath, 'kind', 'ended', 'reason', reason, 'at', score, 'by', event)
      redis.call('PEXPIRE', aftermath, ARGV[1])
      redis.call('ZREM', due, name)
      -- A handle outlives its key where a session is renewed.
      if entry and string.match(entry, '^%S+') == hash then
        redis.call('HDEL', index, handle)
        redis.call('HINCRBY', index, 'rev', 1)
      end
      ended = ended + 1
    end
  end
end
return {'swept', string.format('%.0f', ended), void}
