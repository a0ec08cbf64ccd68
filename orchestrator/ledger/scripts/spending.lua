-- What a tree of runs spends is counted in its root's hash, if the root has a budget, by the script that records it.

local SPENT = {'turns', 'tokens', 'money', 'tool_calls'}
local LIMITS = {'turns', 'tokens', 'money', 'tool_calls', 'seconds'}

local function has_budget(id)
  return redis.call('HEXISTS', run_key(root_of(id)), 'budget') == 1
end

local function count_spent(id, name, amount)
  if amount > 0 then
    redis.call('HINCRBY', run_key(root_of(id)), 'spent:' .. name, amount)
  end
end

-- The first script that finds a limit near gives the warning to its run, which is to write it down.
local function assign_warnings(id, thresholds)
  local root = root_of(id)
  for limit, threshold in pairs(thresholds) do
    local spent = limit == 'seconds' and now - get(root, 'started_at') or tonumber(get(root, 'spent:' .. limit) or 0)
    if spent >= threshold then
      redis.call('HSETNX', run_key(root), 'warned:' .. limit, id)
    end
  end
end

-- Counts what the holder records. A call counts when it starts for the first time.
local function count_writing(id)
  if not args.spent or not has_budget(id) then
    return
  end
  for name, amount in pairs(args.spent) do
    count_spent(id, name, amount)
  end
  for _, started in ipairs(args.started) do
    if not get(id, 'call:' .. started[1]) then
      count_spent(id, 'tool_calls', 1)
    end
  end
  assign_warnings(id, args.warn_at)
end

local function read_spent(id)
  if not has_budget(id) then
    return false
  end
  local fields = {'started_at'}
  for _, name in ipairs(SPENT) do
    table.insert(fields, 'spent:' .. name)
  end
  for _, name in ipairs(LIMITS) do
    table.insert(fields, 'warned:' .. name)
  end
  return {now, redis.call('HMGET', run_key(root_of(id)), unpack(fields))}
end

-- Of two times of which none, one or both are given.
local function earlier(one, other)
  return one and other and math.min(one, other) or one or other
end

-- When a parked run of this tree is woken at the latest: its time is over then.
local function ends_at(id)
  local ends = get(root_of(id), 'ends_at')
  return ends and tonumber(ends)
end

-- The earlier of the deadline and of the end of the time that the budget allows.
local function set_end(id, new)
  local ends = earlier(new.deadline_at, new.seconds and now + new.seconds)
  if ends and not new.parent then
    set(id, 'ends_at', ends)
  end
end

-- What the holder of a run has to know: whether it is cancelled or paused, whether somebody reads along, and what its
-- tree has spent.
local function notice(id)
  local watch_key = string.format(settings.watch_template, root_of(id))
  local is_cancelled, is_paused = unpack(redis.call('HMGET', run_key(id), 'cancel', 'pause'))
  return {is_cancelled and 1 or 0, redis.call('EXISTS', watch_key), read_spent(id), is_paused and 1 or 0}
end
