-- The moves of a run that scripts share. Prepended to each of them, after base.lua and spending.lua.

-- Queued runs have a set of their own: a hundred thousand of them must not keep the others waiting.
local function set_deadline(id, deadline, is_queued)
  redis.call('ZADD', is_queued and settings.queued or settings.due, deadline, id)
end

local function drop_deadline(id, is_queued)
  redis.call('ZREM', is_queued and settings.queued or settings.due, id)
end

local function renew_lease(id)
  set_deadline(id, now + settings.lease)
end

-- Not counted in the size: a holder's next write must not fail because somebody approved a call meanwhile.
local function log_decision(id, entry)
  redis.call('XADD', log_key(id), '*', 'e', entry)
end

local function add_entry(id, entry)
  log_decision(id, entry)
  redis.call('HINCRBY', run_key(id), 'size', 1)
end

-- A small entry of the scripts' own: the template's fields, some replaced. Not for lists: empty ones become objects.
local function fill(template, fields)
  local entry = cjson.decode(template)
  for name, value in pairs(fields) do
    entry[name] = value
  end
  return cjson.encode(entry)
end

local function point_to(id)
  local fields = redis.call('HMGET', run_key(id), 'step', 'task', 'queue', 'priority', 'note', 'continuation')
  table.insert(pointers, {id, unpack(fields)})
end

local function point_to_queued(id)
  if id and get(id, 'status') == 'queued' then
    point_to(id)
  end
end

local function queue_run(id)
  set(id, 'status', 'queued', 'grace', settings.grace)
  redis.call('HDEL', run_key(id), 'holder')
  drop_deadline(id)
  set_deadline(id, now + settings.grace, true)
end

-- A parked run goes on, with or without all that it waited for. Until it parks again, a cancel finds its waits.
local function wake(id)
  redis.call('HINCRBY', run_key(id), 'step', 1)
  redis.call('HDEL', run_key(id), 'resting')
  set(id, 'tries', 0)
  queue_run(id)
  point_to(id)
end

local function get_json(id, field)
  return cjson.decode(get(id, field) or '{}')
end

local function set_json(id, field, value)
  if next(value) then
    set(id, field, cjson.encode(value))
  else
    redis.call('HDEL', run_key(id), field)
  end
end

-- Of a question: {tool, kind, round, expires_at}, and once it is decided the verdict in words and the decision's id.
local function has_expired(question)
  return question.expires_at and question.expires_at <= now
end

-- Of one tenant's runs for one queue only so many have a message: a worker takes messages in their order, and those
-- of other tenants must not come after thousands. The others are held back, with a deadline far off.
local function lane_key(kind, lane)
  return settings.lanes .. kind .. ':' .. lane
end

local function enter_lane(id, lane)
  set(id, 'lane', lane)
  if redis.call('SCARD', lane_key('queued', lane)) < settings.queued_per_lane then
    redis.call('SADD', lane_key('queued', lane), id)
  else
    local place = (get(id, 'priority') or 0) * 1e13 + now
    redis.call('ZADD', lane_key('held', lane), place, id)
    set_deadline(id, now + settings.held_back)
  end
end

local function is_held_back(id)
  local lane = get(id, 'lane')
  return lane and redis.call('ZSCORE', lane_key('held', lane), id)
end

-- A run that was held back gets its message now.
local function admit(id, lane)
  redis.call('ZREM', lane_key('held', lane), id)
  redis.call('SADD', lane_key('queued', lane), id)
end

-- The run was claimed: its place is another's, whom the next reconcile publishes.
local function leave_lane(id)
  local lane = get(id, 'lane')
  if not lane then
    return
  end
  redis.call('ZREM', lane_key('held', lane), id)
  redis.call('SREM', lane_key('queued', lane), id)
  local free = settings.queued_per_lane - redis.call('SCARD', lane_key('queued', lane))
  for _, next_id in ipairs(free > 0 and redis.call('ZRANGE', lane_key('held', lane), 0, free - 1) or {}) do
    admit(next_id, lane)
    set_deadline(next_id, now)
  end
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
    for _, child in pairs(get_json(id, 'waits')) do
      cancel_run(child, reason)
    end
  end
end

-- The hash may exist without a status: a cancel came first and left its flag, which stays.
local function create_run(new, entry)
  local id = new.run_id
  set(id, 'step', 1, 'fence', 0, 'tries', 0, 'size', 0, 'started_at', now,
    'task', new.task, 'digest', new.digest, 'note', new.note, 'continuation', new.continuation)
  for _, field in ipairs({'queue', 'priority', 'parent', 'parent_call', 'tags', 'metadata', 'budget', 'retry_of'}) do
    if new[field] then
      set(id, field, new[field])
    end
  end
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

-- A child's end. The first report counts, the last wait wakes the run.
local function close_wait(id, wait, entry)
  if get(id, 'status') ~= 'parked' then
    return
  end
  local waits = get_json(id, 'waits')
  if not waits[wait] then
    return
  end
  add_entry(id, entry)
  waits[wait] = nil
  set_json(id, 'waits', waits)
  if not next(waits) then
    wake(id)
  end
end

-- Concatenated, not encoded: the outcome may hold empty lists.
local function child_ended(id, call, outcome)
  return '{"v":' .. settings.version .. ',"type":"child","call_id":' .. cjson.encode(call)
    .. ',"child":' .. cjson.encode(id) .. ',"outcome":' .. outcome .. '}'
end

-- A call is `started:<tool>`, then `settled`.
local function settle_started_calls(id)
  local fields, open = redis.call('HGETALL', run_key(id)), {}
  for i = 1, #fields, 2 do
    local call, tool = string.match(fields[i], '^call:(.*)$'), string.match(fields[i + 1], '^started:(.*)$')
    if call and tool then
      table.insert(open, {call, tool})
    end
  end
  table.sort(open, function(a, b) return a[1] < b[1] end)
  for _, pair in ipairs(open) do
    add_entry(id, fill(args.unknown_output, {call_id = pair[1], tool = pair[2]}))
    set(id, 'call:' .. pair[1], 'settled')
  end
end

local function set_outcome(id, outcome)
  settle_started_calls(id)
  add_entry(id, outcome)
  set(id, 'outcome', outcome)
  for _, child in pairs(get_json(id, 'waits')) do
    cancel_run(child)
  end
  -- For whoever waits for it now; a user who may not publish must not stop a run from ending.
  redis.pcall('PUBLISH', string.format(settings.outcome_template, root_of(id), id), outcome)
  local parent, call = unpack(redis.call('HMGET', run_key(id), 'parent', 'parent_call'))
  if parent then
    close_wait(parent, call, child_ended(id, call, outcome))
  end
end

-- An outcome of the scripts' own, with what the run has spent.
local function with_usage(outcome)
  local usage = get(args.run_id, 'usage')
  return usage and fill(outcome, {usage = cjson.decode(usage)}) or outcome
end

local function with_reason(cancelled)
  local reason = get(args.run_id, 'cancel_reason')
  if not reason then
    return cancelled
  end
  local kind = cjson.decode(cancelled).error.type
  return fill(cancelled, {error = {type = kind, message = 'The run was cancelled: ' .. reason}})
end

local function check_holder(id, fence)
  if get(id, 'status') ~= 'running' or get(id, 'fence') ~= tostring(fence) then
    refuse('FENCED', id)
  end
end

local function check_size(expected)
  local size = get(args.run_id, 'size')
  if size ~= tostring(expected) then
    refuse('OUTDATED', size)
  end
end

-- Was this hand-over or park applied before, and its answer lost? The fence is ours until somebody claims the run,
-- and only a commit parks a run or counts its step up.
local function is_repeated()
  local status, step, fence = unpack(redis.call('HMGET', run_key(args.run_id), 'status', 'step', 'fence'))
  return fence == tostring(args.fence) and (status == 'parked' or status == 'queued' and step ~= tostring(args.step))
end

-- Record this call's entries and what they say about tool calls. `without_moves`: the run has ended instead of
-- moving, so the entries that would say that it moved are left out.
local function record_entries(without_moves)
  local id = args.run_id
  count_writing(id)
  for i, is_move in ipairs(args.entries) do
    if not (is_move and without_moves) then
      add_entry(id, ARGV[FIRST_ENTRY + i - 1])
    end
  end
  for _, started in ipairs(args.started) do
    set(id, 'call:' .. started[1], 'started:' .. started[2])
  end
  for _, call in ipairs(args.settled) do
    set(id, 'call:' .. call, 'settled')
  end
  if args.usage then
    set(id, 'usage', args.usage)
  end
  if args.has_result then
    set(id, 'tries', 0)
  end
end

-- The run has an outcome (none given: it is cancelled) and its parent knows. It stays running until it is delivered.
local function end_run(outcome)
  record_entries(get(args.run_id, 'cancel'))
  outcome = outcome or with_usage(with_reason(args.cancelled))
  set_outcome(args.run_id, outcome)
  renew_lease(args.run_id)
  return outcome
end

-- The start of a hand-over or a park. An outcome: the run is cancelled and has ended instead.
local function end_if_cancelled()
  check_holder(args.run_id, args.fence)
  local outcome, is_cancelled = get(args.run_id, 'outcome'), get(args.run_id, 'cancel')
  if outcome then
    if not is_cancelled then
      refuse('ENDED')
    end
    point_to_queued(get(args.run_id, 'parent'))
    return outcome
  end
  check_size(args.at)
  return is_cancelled and end_run()
end
