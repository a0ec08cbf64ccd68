-- Moves on runs whose deadline has passed: points to what has to be published again. Those that somebody worked on
-- come first, then those that merely wait in a queue.

local left = args.limit

local function overdue(key)
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, left)
  left = left - #ids
  return ids
end

local function publish_again(id)
  if is_held_back(id) then
    admit(id, get(id, 'lane'))
  end
  local grace = math.min(get(id, 'grace') * 2, settings.max_grace)
  redis.call('HSET', run_key(id), 'grace', grace)
  set_deadline(id, now + grace, true)
  point_to(id)
end

for _, id in ipairs(overdue(settings.due)) do
  local status = get(id, 'status')
  if status == 'running' then
    queue_run(id)
    point_to(id)
  elseif status == 'parked' and get(id, 'in_line') then
    look_after_line(id)
  elseif status == 'parked' then
    wake(id)
  else
    drop_deadline(id)
    if status == 'queued' then  -- by an earlier release, which had one set
      publish_again(id)
    end
  end
end
for _, id in ipairs(overdue(settings.queued)) do
  if get(id, 'status') == 'queued' then
    publish_again(id)
  else
    drop_deadline(id, true)
  end
end
return pointers
