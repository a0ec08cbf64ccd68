-- Begins a lease.
--
-- KEYS: leases, leases of this machine
-- ARGV: lease, milliseconds

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
