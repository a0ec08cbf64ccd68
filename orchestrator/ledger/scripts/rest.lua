-- Commits that a paused run rests: parked, with all that it waits for, until it is resumed.

local id = args.run_id

local status, fence = unpack(redis.call('HMGET', run_key(id), 'status', 'fence'))
if fence == tostring(args.fence) and (status == 'parked' or status == 'queued') then
  -- Applied before, and the answer was lost.
  point_to_queued(id)
  return {false, pointers}
end

local outcome = end_if_cancelled()
if outcome then
  return {outcome, pointers}
end

record_entries(false)
if not get(id, 'pause') then
  -- Resumed meanwhile.
  queue_run(id)
  point_to(id)
  return {false, pointers}
end
set(id, 'status', 'parked', 'resting', 1, 'note', args.note)
redis.call('HDEL', run_key(id), 'holder')
local ends = ends_at(id)
if ends and ends > now then
  set_deadline(id, ends)
else
  redis.call('ZREM', settings.due, id)
end
return {false, pointers}
