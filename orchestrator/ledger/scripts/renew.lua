-- Extends the leases of held runs and says what their holders have to know: held, cancel or fenced.

local answers = {}
for i, pair in ipairs(args.held) do
  local id, fence = pair[1], tostring(pair[2])
  local status, current, outcome, is_cancelled = unpack(
    redis.call('HMGET', run_key(id), 'status', 'fence', 'outcome', 'cancel'))
  if status ~= 'running' or current ~= fence then
    answers[i] = 'fenced'
  else
    renew_lease(id)
    -- With an outcome, only the delivery is left: there is nothing to stop.
    answers[i] = is_cancelled and not outcome and 'cancel' or 'held'
  end
end
return answers
