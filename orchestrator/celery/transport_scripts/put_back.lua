-- Puts messages that a process has taken back into their queues. Returns how many; those that it has no longer are left
-- alone, so that of an acknowledgement and of several that put back only the first counts.
--
-- KEYS: leases, the process's unacknowledged messages
-- ARGV: lease or '' (then it must have lapsed), RPUSH or LPUSH, then for each message: tag, list, wake-up key, text

local leases, unacked = KEYS[1], KEYS[2]
local lapsed, push = ARGV[1], ARGV[2]

if lapsed ~= '' then
  local time = redis.call('TIME')
  local until_ = redis.call('ZSCORE', leases, lapsed)
  if until_ and tonumber(until_) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return 0
  end
end

local moved = 0
for i = 3, #ARGV, 4 do
  local tag, list, wake, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if redis.call('HDEL', unacked, tag) == 1 then
    redis.call(push, list, text)
    redis.call('ZADD', wake, 0, 1)
    moved = moved + 1
  end
end
return moved
