-- Commits that the run waits: for its children, which are created here, since none can report to a parent not yet
-- parked; for people; until a time.

local id = args.run_id

local function point_to_children()
  for _, child in ipairs(args.children) do
    if get(child.run_id, 'step') == '1' then
      point_to_queued(child.run_id)
    end
  end
end

if is_repeated() then
  point_to_children()
  point_to_queued(id)
  return {false, pointers}
end

for _, child in ipairs(args.children) do
  check_digest(child)
end
local outcome = end_if_cancelled()
if outcome then
  return {outcome, pointers}
end

-- Opens the questions, and says whether one of them was decided meanwhile: the run then goes on at once.
local function ask()
  if #args.questions == 0 then
    return false
  end
  local questions, is_decided = get_json(id, 'questions'), false
  for _, asked in ipairs(args.questions) do
    local known = questions[asked.call_id]
    if not known or known.round ~= asked.round then
      questions[asked.call_id] = asked
    elseif known.verdict then
      is_decided = true
    end
  end
  set_json(id, 'questions', questions)
  return is_decided
end

record_entries(false)
for call in pairs(waits_of(id)) do
  redis.call('HDEL', run_key(id), 'wait:' .. call)
end
redis.call('HDEL', run_key(id), 'holder', 'failures_left')
if args.max_failures then
  set(id, 'failures_left', args.max_failures)
end

local open_waits, has_failed = 0, false
-- False: the child has ended, and its report is here.
local function wait_for(call, child)
  local ended = get(child, 'outcome')
  if ended then
    add_entry(id, child_ended(child, call, ended))
    has_failed = is_one_failure_too_many(id, ended) or has_failed
    return false
  end
  open_waits = open_waits + open_wait(id, call, child)
  return true
end

local pause = get(id, 'pause')
for i, child in ipairs(args.children) do
  if wait_for(child.parent_call, child.run_id) then
    if child.is_counted and has_budget(id) and not get(child.run_id, 'status') then
      count_spent(id, 'tool_calls', 1)
    end
    start_run(child, ARGV[FIRST_ENTRY + #args.entries + i - 1])
    if pause then
      redis.call('HSETNX', run_key(child.run_id), 'pause', pause)
    end
  end
end
for call, child in pairs(args.known_waits) do
  wait_for(call, child)
end

set(id, 'status', 'parked', 'note', args.note, 'open_waits', open_waits)

local is_decided = ask()
local only_sleeps = args.timer_at and #args.children == 0
if is_decided or has_failed or not (open_waits > 0 or #args.questions > 0 or only_sleeps) then
  wake(id)
  return {false, pointers}
end
local timer_at = args.timer_at
if timer_at and get(id, 'hastened') == tostring(args.step) then
  timer_at = now
end
local wakes_at = earlier(timer_at, ends_at(id))
if wakes_at then
  set_deadline(id, wakes_at)
else
  drop_deadline(id)
end
return {false, pointers}
