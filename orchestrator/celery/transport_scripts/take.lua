-- Takes the next message and records who has it, in one step. Answers with the number of its queue, the message, and 1
-- if there are more. Nil: there is none. 0: the lease is gone, take a new one.
--
-- KEYS: leases, the process's unacknowledged messages, the lists in the order in which they are to be looked at
--       (all queues of the highest priority, then of the next), then one wake-up key a queue
-- ARGV: lease or '', delivery tag, number of queues, then for each queue '1' (record) or '0' (nobody acknowledges)

local leases, unacked = KEYS[1], KEYS[2]
local lease, tag, queues = ARGV[1], ARGV[2], tonumber(ARGV[3])
local first, last = 3, #KEYS - queues

local function lists_of(queue)
  local lists = {}
  for i = first + queue - 1, last, queues do
    table.insert(lists, KEYS[i])
  end
  return lists
end

if redis.call('EXISTS', unpack(KEYS, first, last)) == 0 then
  return nil
end
-- A process that was paused for longer than its lease must not take messages under it: nobody would look for them.
if lease ~= '' and not redis.call('ZSCORE', leases, lease) then
  return 0
end

local found, item
for i = first, last do
  item = redis.call('RPOP', KEYS[i])
  if item then
    found = i
    break
  end
end

local queue = (found - first) % queues + 1
if ARGV[3 + queue] == '1' then
  redis.call('HSET', unacked, tag, KEYS[found] .. '\n' .. KEYS[last + queue] .. '\n' .. item)
end

-- Whoever is woken takes one message. While there are more, the next consumer that waits must be woken, too.
local more = 0
for i = 1, queues do
  if redis.call('EXISTS', unpack(lists_of(i))) == 0 then
    redis.call('DEL', KEYS[last + i])
  else
    redis.call('ZADD', KEYS[last + i], 0, 1)
    more = 1
  end
end
return {queue, item, more}
