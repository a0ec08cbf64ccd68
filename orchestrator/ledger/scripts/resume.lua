-- Takes the pause from a run and from all below its waits. Those that rest go on.

local id = args.run_id

local function resume_run(run)
  local status, resting = unpack(redis.call('HMGET', run_key(run), 'status', 'resting'))
  redis.call('HDEL', run_key(run), 'pause')
  if status == 'parked' and resting then
    wake(run)
  end
  for _, child in pairs(waits_of(run)) do
    resume_run(child)
  end
end

local status, outcome, pause, resumed = unpack(redis.call('HMGET', run_key(id), 'status', 'outcome', 'pause', 'resumed'))
if not status then
  refuse('UNKNOWN')
elseif resumed == args.request then
  -- Resumed before, by this very call, and the answer was lost.
  point_to_queued(id)
  return pointers
elseif outcome or not pause then
  refuse('MISPLACED', outcome and 'has ended: there is nothing to resume' or 'is not paused')
end
set(id, 'resumed', args.request)
resume_run(id)
return pointers
