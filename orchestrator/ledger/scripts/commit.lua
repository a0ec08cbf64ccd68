-- How a holder writes, and how a run ends.

-- A call is `started:<tool>`, then `settled`.
local function settle_started_calls(id, calls)
  local open = {}
  for call, state in pairs(calls) do
    local tool = string.match(state, '^started:(.*)$')
    if tool then
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
  count_waits(id)
  local fields = redis.call('HGETALL', run_key(id))
  settle_started_calls(id, fields_of('call', fields))
  add_entry(id, outcome)
  set(id, 'outcome', outcome)
  for _, child in pairs(fields_of('wait', fields)) do
    cancel_run(child)
  end
  -- For whoever waits for it now; a user who may not publish must not stop a run from ending.
  redis.pcall('PUBLISH', string.format(settings.outcome_template, root_of(id), id), outcome)
  local parent, call = unpack(redis.call('HMGET', run_key(id), 'parent', 'parent_call'))
  if parent then
    close_wait(parent, call, child_ended(id, call, outcome), outcome)
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

-- Answers what every holder's script goes on to ask: the run's outcome, its log's size, and whether it is cancelled.
local function check_holder(id, fence)
  local status, current, outcome, size, cancel = unpack(
    redis.call('HMGET', run_key(id), 'status', 'fence', 'outcome', 'size', 'cancel'))
  if status ~= 'running' or current ~= tostring(fence) then
    refuse('FENCED', id)
  end
  return outcome, size, cancel
end

local function check_size(size, expected)
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
  local id, entries, fields = args.run_id, {}, {}
  count_writing(id)
  for i, is_move in ipairs(args.entries) do
    if not (is_move and without_moves) then
      table.insert(entries, ARGV[FIRST_ENTRY + i - 1])
    end
  end
  add_entries(id, entries)
  local function put(field, value)
    table.insert(fields, field)
    table.insert(fields, value)
  end
  for _, started in ipairs(args.started) do
    put('call:' .. started[1], 'started:' .. started[2])
  end
  for _, call in ipairs(args.settled) do
    put('call:' .. call, 'settled')
  end
  if args.usage then
    put('usage', args.usage)
  end
  if args.has_result then
    put('tries', 0)
  end
  set(id, unpack(fields))
end

-- The run has an outcome (none given: it is cancelled) and its parent knows.
local function end_run(outcome, is_cancelled)
  record_entries(is_cancelled)
  outcome = outcome or with_usage(with_reason(args.cancelled))
  set_outcome(args.run_id, outcome)
  return outcome
end

-- The outcome that comes after the entries; another if the run is cancelled.
local function end_with_outcome(size, is_cancelled)
  check_size(size, args.at)
  local counts = args.is_cancelled or not is_cancelled
  return end_run(counts and ARGV[FIRST_ENTRY + #args.entries], is_cancelled)
end

-- Nothing is left to be done: the run expires after the retention.
local function finish_run(id)
  set(id, 'status', 'done')
  drop_deadline(id)
  redis.call('PEXPIRE', run_key(id), settings.retention)
  redis.call('PEXPIRE', log_key(id), settings.retention)
end

-- The start of a hand-over or a park. An outcome: the run is cancelled and has ended instead.
local function end_if_cancelled()
  local outcome, size, is_cancelled = check_holder(args.run_id, args.fence)
  if outcome then
    if not is_cancelled then
      refuse('ENDED')
    end
    point_to_queued(get(args.run_id, 'parent'))
    return outcome
  end
  check_size(size, args.at)
  if is_cancelled then
    outcome = end_run(nil, true)
    renew_lease(args.run_id)
    return outcome
  end
end
