-- Renews a lease and looks after the others: returns whether it is still held, the leases of this machine, and those
-- leases whose messages the caller is to put back now.
--
-- KEYS: leases, leases of this machine, watch
-- ARGV: lease, milliseconds, milliseconds of the watch, milliseconds of a claim, prefix of claims, how many to put back

local leases, neighbours, watch = KEYS[1], KEYS[2], KEYS[3]
local lease, length, watch_length, claim_length, claim_prefix, limit = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if redis.call('ZADD', leases, 'XX', 'CH', now + length, lease) == 0 and not redis.call('ZSCORE', leases, lease) then
  return {0, {}, {}}
end

-- Nobody has looked for a while: the server was away, or everybody was. A lease that lapsed meanwhile says nothing;
-- its holder gets the time of a lease to come back. 0 is a lease whose process is known to be dead.
if not redis.call('SET', watch, lease, 'PX', watch_length, 'GET') then
  for _, other in ipairs(redis.call('ZRANGE', leases, 1, now, 'BYSCORE')) do
    redis.call('ZADD', leases, now + length, other)
  end
end

local lapsed = {}
for _, other in ipairs(redis.call('ZRANGE', leases, 0, now, 'BYSCORE', 'LIMIT', 0, limit)) do
  -- One process puts the messages back; should it die over it, another one goes on when the claim has lapsed.
  if redis.call('SET', claim_prefix .. other, lease, 'NX', 'PX', claim_length) then
    table.insert(lapsed, other)
  end
end
return {1, redis.call('SMEMBERS', neighbours), lapsed}
