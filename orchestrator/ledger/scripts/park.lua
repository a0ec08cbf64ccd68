-- Commits that the run waits for its children, which are created here: none can report to a parent not yet parked.

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

record_entries(false)
set(id, 'status', 'parked', 'note', args.note)
redis.call('HDEL', run_key(id), 'holder')

local waits = {}
for i, child in ipairs(args.children) do
  local ended = get(child.run_id, 'outcome')
  if ended then
    add_entry(id, child_ended(child.run_id, child.parent_call, ended))
  else
    if child.is_counted and has_budget(id) and not get(child.run_id, 'status') then
      count_spent(id, 'tool_calls', 1)
    end
    start_run(child, ARGV[FIRST_ENTRY + #args.entries + i - 1])
    waits[child.parent_call] = child.run_id
  end
end

local only_sleeps = args.timer_at and #args.children == 0
if next(waits) then
  set(id, 'waits', cjson.encode(waits))
elseif not only_sleeps then
  wake(id)
  return {false, pointers}
end
local wakes_at = earlier(args.timer_at, ends_at(id))
if wakes_at then
  set_deadline(id, wakes_at)
else
  redis.call('ZREM', settings.due, id)
end
return {false, pointers}
