-- How a holder writes, and how a run ends. Prepended to each script, after tree.lua.

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
