-- Commits that another agent takes the next step.

local id = args.run_id

if is_repeated() then
  point_to_queued(id)
  return {false, pointers}
end

local outcome = end_if_cancelled()
if outcome then
  return {outcome, pointers}
end

record_entries(false)
redis.call('HINCRBY', run_key(id), 'step', 1)
set(id, 'task', args.task, 'note', args.note, 'tries', 0)
if args.queue then
  set(id, 'queue', args.queue)
else
  redis.call('HDEL', run_key(id), 'queue')
end
queue_run(id)
point_to(id)
return {false, pointers}
