-- Lets the timer of sleeping runs pass now: what each of them waits for is near.

for _, pair in ipairs(args.sleeping) do
  local id, step = pair[1], tostring(pair[2])
  local status = get(id, 'step') == step and get(id, 'status')
  if status == 'parked' then
    redis.call('ZADD', settings.due, 'XX', now, id)
  elseif status == 'running' then
    -- It is about to park: what calls it back was quicker.
    set(id, 'hastened', step)
  end
end
