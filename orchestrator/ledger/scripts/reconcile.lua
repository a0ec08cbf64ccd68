-- Moves on runs whose deadline has passed: points to what has to be published again.

local function publish_again(id)
  if is_held_back(id) then
    admit(id, get(id, 'lane'))
  end
  local grace = math.min(get(id, 'grace') * 2, settings.max_grace)
  redis.call('HSET', run_key(id), 'grace', grace)
  set_deadline(id, now + grace)
  point_to(id)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', settings.due, '-inf', now, 'LIMIT', 0, args.limit)) do
  local status = get(id, 'status')
  if status == 'queued' then
    publish_again(id)
  elseif status == 'running' then
    queue_run(id)
    point_to(id)
  elseif status == 'parked' and get(id, 'in_line') then
    look_after_line(id)
  elseif status == 'parked' then
    wake(id)
  else
    redis.call('ZREM', settings.due, id)
  end
end
return pointers
