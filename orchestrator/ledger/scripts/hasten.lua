-- Lets the timer of sleeping runs pass now: what each of them waits for is near.

for _, pair in ipairs(args.sleeping) do
  local id, step = pair[1], tostring(pair[2])
  if get(id, 'status') == 'parked' and get(id, 'step') == step then
    redis.call('ZADD', settings.due, 'XX', now, id)
  end
end
