-- A run and those below it: how they begin, report and are cancelled.

-- A wait is a field of the run: `wait:<call id>` with the child's id. A child's end then costs the same, however many
-- others are waited for.
local function open_wait(id, call, child)
  local is_new = redis.call('HSET', run_key(id), 'wait:' .. call, child)
  redis.call('HINCRBY', run_key(id), 'open_waits', is_new)
end

-- They used to be one field, in JSON. A run that was parked so gets the others.
local function split_waits(id)
  local waits = get(id, 'waits')
  if waits then
    redis.call('HDEL', run_key(id), 'waits')
    for call, child in pairs(cjson.decode(waits)) do
      open_wait(id, call, child)
    end
  end
end

local function has_waits(id)
  return (tonumber(get(id, 'open_waits')) or 0) > 0
end

-- The children by call id.
local function waits_of(id)
  split_waits(id)
  local waits, fields = {}, has_waits(id) and redis.call('HGETALL', run_key(id)) or {}
  for i = 1, #fields, 2 do
    local call = string.match(fields[i], '^wait:(.*)$')
    if call then
      waits[call] = fields[i + 1]
    end
  end
  return waits
end

local function forget_waits(id)
  for call in pairs(waits_of(id)) do
    redis.call('HDEL', run_key(id), 'wait:' .. call)
  end
  redis.call('HDEL', run_key(id), 'open_waits')
end

local function tell_holder(id)
  redis.call('XADD', settings.cancels, 'MAXLEN', '~', settings.cancels_kept, '*', 'r', id)
  redis.call('PEXPIRE', settings.cancels, settings.retention)
end

-- Flags a run and all below its waits. Parked ones are woken, to end themselves; holders are told.
local function cancel_run(id, reason)
  local status, outcome, was_cancelled = unpack(redis.call('HMGET', run_key(id), 'status', 'outcome', 'cancel'))
  if outcome then
    return
  end
  set(id, 'cancel', 1)
  if reason then
    redis.call('HSETNX', run_key(id), 'cancel_reason', reason)
  end
  if not status then
    redis.call('PEXPIRE', run_key(id), settings.retention)
  elseif was_cancelled then
    -- Cancelled before, and the answer was lost.
    point_to_queued(id)
  else
    if status == 'parked' then
      wake(id)
    elseif status == 'running' then
      tell_holder(id)
    elseif is_held_back(id) then
      admit(id, get(id, 'lane'))
      queue_run(id)
      point_to(id)
    end
    for _, child in pairs(waits_of(id)) do
      cancel_run(child, reason)
    end
  end
end

-- The hash may exist without a status: a cancel came first and left its flag, which stays.
local function create_run(new, entry)
  local id = new.run_id
  local fields = {'step', 1, 'fence', 0, 'tries', 0, 'size', 0, 'started_at', now,
    'task', new.task, 'digest', new.digest, 'note', new.note, 'continuation', new.continuation}
  for _, field in ipairs({'queue', 'priority', 'parent', 'parent_call', 'tags', 'metadata', 'budget', 'retry_of'}) do
    if new[field] then
      table.insert(fields, field)
      table.insert(fields, new[field])
    end
  end
  set(id, unpack(fields))
  set_end(id, new)
  redis.call('PERSIST', run_key(id))
  add_entry(id, entry)
  queue_run(id)
  if not new.parent then
    redis.call('ZADD', settings.runs, now, id)
    redis.call('ZREMRANGEBYRANK', settings.runs, 0, -settings.runs_kept - 1)
  end
end

local function check_digest(new)
  local digest = get(new.run_id, 'digest')
  if digest and digest ~= new.digest then
    refuse('CONFLICT', new.run_id)
  end
end

local function start_run(new, entry)
  if not get(new.run_id, 'status') then
    create_run(new, entry)
    if new.lane then
      enter_lane(new.run_id, new.lane)
    end
  end
  if get(new.run_id, 'step') == '1' and not is_held_back(new.run_id) then
    point_to_queued(new.run_id)
  end
end

-- Answers begin as they were written. The scripts' own outcomes, whose fields are in any order, are none.
local function is_answer(outcome)
  return string.find(outcome, '^{"v":%d+,"type":"outcome","kind":"answer"') ~= nil
end

-- Counts a child that has failed. True: more have than the run puts up with, so it waits for no others.
local function is_one_failure_too_many(id, outcome)
  if is_answer(outcome) or not get(id, 'failures_left') then
    return false
  end
  return redis.call('HINCRBY', run_key(id), 'failures_left', -1) < 0
end

-- A child's end. The first report counts, the last wait wakes the run.
local function close_wait(id, wait, entry, outcome)
  if get(id, 'status') ~= 'parked' then
    return
  end
  split_waits(id)
  if redis.call('HDEL', run_key(id), 'wait:' .. wait) == 0 then
    return
  end
  add_entry(id, entry)
  set(id, 'open_waits', get(id, 'open_waits') - 1)
  if is_one_failure_too_many(id, outcome) or not has_waits(id) then
    wake(id)
  end
end

-- Concatenated, not encoded: the outcome may hold empty lists.
local function child_ended(id, call, outcome)
  return '{"v":' .. settings.version .. ',"type":"child","call_id":' .. cjson.encode(call)
    .. ',"child":' .. cjson.encode(id) .. ',"outcome":' .. outcome .. '}'
end
