-- Flags a run and, through its open waits, all below it. Parked ones are woken, to end themselves.

local function cancel_run(id)
  local status, outcome, was_cancelled = unpack(redis.call('HMGET', run_key(id), 'status', 'outcome', 'cancel'))
  if outcome then
    return
  end
  set(id, 'cancel', 1)
  if not status then
    redis.call('PEXPIRE', run_key(id), settings.retention)
  elseif was_cancelled then
    -- Cancelled before, and the answer was lost.
    point_to_queued(id)
  elseif status == 'parked' then
    local waits = cjson.decode(get(id, 'waits') or '{}')
    wake(id)
    for _, child in pairs(waits) do
      cancel_run(child)
    end
  end
end

cancel_run(args.run_id)
return pointers
