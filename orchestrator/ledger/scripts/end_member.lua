-- Commits the outcome of a run that another one waits for, which is told here, and that the run is done. A flow that
-- this wakes is taken by the same worker, if it asks for that, to move it on.

local id = args.run_id
local parent = get(id, 'parent')

local function place_of(id)
  for i, pointer in ipairs(pointers) do
    if pointer[1] == id then
      return i
    end
  end
end

-- False: somebody else is to take it, or has taken it.
local function take_parent()
  local run, place = read_step(parent), place_of(parent)
  -- Taken before, and the answer was lost.
  local is_ours = run.status == 'running' and run.holder == args.taker.message
  if run.outcome or run.task ~= args.taker.task or run.queue or not (place or is_ours) then
    return false
  end
  local log = read_log(parent, args.taker.known)
  read_on(log)
  if newer_version(log) then
    return false
  end
  take(parent, run, args.taker)
  if place then
    table.remove(pointers, place)
  end
  return taken(log)
end

local status, fence, outcome = unpack(redis.call('HMGET', run_key(id), 'status', 'fence', 'outcome'))
if status == 'done' and fence == tostring(args.fence) then
  -- Applied before, and the answer was lost.
  point_to_queued(parent)
else
  local size, cancel
  outcome, size, cancel = check_holder(id, args.fence)
  if outcome then
    point_to_queued(parent)
  else
    outcome = end_with_outcome(size, cancel)
  end
  finish_run(id)
end
return {outcome, pointers, args.taker and take_parent() or false}
