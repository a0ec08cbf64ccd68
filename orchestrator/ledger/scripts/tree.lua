-- A run and those below it: how they begin, report and are cancelled.

-- A wait is a field of the run: `wait:<call id>` with the child's id. A child's end then costs the same, however many
-- others are waited for.
local function open_wait(id, call, child)
  return redis.call('HSET', run_key(id), 'wait:' .. call, child)
end

-- How many are open. They used to be one field, in JSON: a run that was parked so gets the others.
local function count_waits(id)
  local open, waits = unpack(redis.call('HMGET', run_key(id), 'open_waits', 'waits'))
  open = tonumber(open) or 0
  if waits then
    redis.call('HDEL', run_key(id), 'waits')
    for call, child in pairs(cjson.decode(waits)) do
      open = open + open_wait(id, call, child)
    end
    set(id, 'open_waits', open)
  end
  return open
end

-- A hash's fields whose name begins with a word and a colon, by the rest of their name.
local function fields_of(kind, fields)
  local found = {}
  for i = 1, #fields, 2 do
    local name = string.match(fields[i], '^' .. kind .. ':(.*)$')
    if name then
      found[name] = fields[i + 1]
    end
  end
  return found
end

-- The children by call id.
local function waits_of(id)
  return count_waits(id) > 0 and fields_of('wait', redis.call('HGETALL', run_key(id))) or {}
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
  local fields = {'status', 'queued', 'grace', settings.grace, 'step', 1, 'fence', 0, 'tries', 0, 'size', 1,
    'started_at', now, 'task', new.task, 'digest', new.digest, 'note', new.note, 'continuation', new.continuation}
  for _, field in ipairs({'queue', 'priority', 'parent', 'parent_call', 'tags', 'metadata', 'budget', 'retry_of'}) do
    if new[field] then
      table.insert(fields, field)
      table.insert(fields, new[field])
    end
  end
  set(id, unpack(fields))
  set_end(id, new)
  redis.call('PERSIST', run_key(id))
  log_entry(id, entry)
  set_deadline(id, now + settings.grace, true)
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
  local id = new.run_id
  local status, step = unpack(redis.call('HMGET', run_key(id), 'status', 'step'))
  if status then
    if status == 'queued' and step == '1' and not is_held_back(id) then
      point_to(id)
    end
    return
  end
  create_run(new, entry)
  if not new.lane or enter_lane(id, new.lane) then
    add_pointer(id, 1, new.task, new.queue, new.priority, new.note, new.continuation)
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
  local open = count_waits(id) - 1
  if redis.call('HDEL', run_key(id), 'wait:' .. wait) == 0 then
    return
  end
  add_entry(id, entry)
  set(id, 'open_waits', open)
  if is_one_failure_too_many(id, outcome) or open == 0 then
    wake(id)
  end
end

-- Concatenated, not encoded: the outcome may hold empty lists.
local function child_ended(id, call, outcome)
  return '{"v":' .. settings.version .. ',"type":"child","call_id":' .. cjson.encode(call)
    .. ',"child":' .. cjson.encode(id) .. ',"outcome":' .. outcome .. '}'
end
