-- Ends a renewal's grace sooner: the new token is in use, so the old one has only the requests under way
-- to serve. Never later than it was to end.
--
-- KEYS  1 what became of the session under its old token
-- ARGV  1 when the grace shall end at the latest, ms
local ends = redis.call('HGET', KEYS[1], 'until')
if ends and tonumber(ends) > tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'until', ARGV[1])
end
return 1
