-- Flags a run and all below its waits: each rests at its next step. What it does at the moment goes on.

local id = args.run_id

local function pause_run(run)
  local status, outcome, is_cancelled = unpack(redis.call('HMGET', run_key(run), 'status', 'outcome', 'cancel'))
  if status and not outcome and not is_cancelled then
    redis.call('HSETNX', run_key(run), 'pause', args.request)
    for _, child in pairs(waits_of(run)) do
      pause_run(child)
    end
  end
end

local status, outcome, is_cancelled, pause = unpack(
  redis.call('HMGET', run_key(id), 'status', 'outcome', 'cancel', 'pause'))
if not status then
  refuse('UNKNOWN')
elseif pause == args.request then
  return  -- Paused before, by this very call, and the answer was lost.
elseif outcome or is_cancelled then
  refuse('MISPLACED', 'has ended or is being cancelled: there is nothing to pause')
elseif pause then
  refuse('MISPLACED', 'is paused already')
end
pause_run(id)
