-- A call is over, or no longer wanted: its slot is free, and what it really took replaces the estimate.

local ticket = load(args.ticket.id)
if not ticket or ticket.owner ~= args.ticket.owner then
  return
end
if ticket.state ~= 'granted' then
  leave_line(ticket)
  forget(ticket)
  return
end

local known = state_of('hold')
local held = math.max(0, now - ticket.at)
redis.call('HSET', key('state'), 'hold', known > 0 and known * 0.8 + held * 0.2 or held)
if args.tokens then
  local more = args.tokens - ticket.tokens
  local minute = key('use:' .. math.floor(now / 60000))
  for _, scope in ipairs(scopes(ticket.tenant)) do
    if scope.caps.token_ms and more ~= 0 then
      charge('tokens', scope, now, more * scope.caps.token_ms)
    end
    redis.call('HINCRBY', minute, 'tokens:' .. scope.name, more)
  end
  redis.call('PEXPIRE', minute, 180000)
end
release(ticket)
