-- Ends a lease under which nothing is left. Returns 1 if it is ended.
--
-- KEYS: leases, leases of its machine, its unacknowledged messages, its claim
-- ARGV: lease

if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4])
return 1
