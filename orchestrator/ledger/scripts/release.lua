-- Gives a step back undone: it is queued again, and this claim does not count towards poison.

local id = args.run_id

local status, step, fence = unpack(redis.call('HMGET', run_key(id), 'status', 'step', 'fence'))
local is_repeated_release = status == 'queued' and step == tostring(args.step) and fence == tostring(args.fence)
if is_repeated_release then
  point_to(id)
  return pointers
end

local outcome, size = check_holder(id, args.fence)
if outcome then
  refuse('ENDED')
end
check_size(size, args.at)
record_entries(false)
set(id, 'tries', math.max(0, tonumber(get(id, 'tries')) - 1))
set(id, 'released', fence)
queue_run(id)
point_to(id)
return pointers
