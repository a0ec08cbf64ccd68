-- Takes wishes in, renews what is held, serves whoever is next, and calls parked runs whose turn is near.
-- Answers JSON: for each wish whether it is granted and in how many milliseconds it begins (or may); the runs called.

local PLACES = 1e10  -- a place in line is priority * PLACES + age

local function lapse(ticket)
  if ticket.state == 'granted' then
    release(ticket)
  elseif ticket.state == 'called' and ticket.calls < limit.max_calls then
    stand_in_line(ticket, 'parked')
    save(ticket, ticket.lasts_until)
  elseif ticket.state == 'called' or ticket.state == 'ready' then
    leave_line(ticket)
    ticket.state = 'absent'
    save(ticket, now + limit.place)
  else
    leave_line(ticket)
    forget(ticket)
  end
end

local function clean_up()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('expiry'), '-inf', now, 'LIMIT', 0, 1000)) do
    lapse(load(id))
  end
  redis.call('ZREMRANGEBYSCORE', key('idle'), '-inf', state_of('served'))
  redis.call('ZREMRANGEBYSCORE', key('requests'), '-inf', now)
  redis.call('ZREMRANGEBYSCORE', key('tokens'), '-inf', now)
end

local function renew_held()
  for _, held in ipairs(args.held) do
    local ticket = load(held.id)
    if ticket and ticket.state == 'granted' and ticket.owner == held.owner then
      redis.call('ZADD', key('expiry'), now + limit.lease, held.id)
    end
  end
end

local function take_in(wish)
  local ticket = load(wish.id)
  if ticket and ticket.state == 'granted' then
    if ticket.owner == wish.owner then
      return
    end
    -- Whoever was granted it is gone, and may have used it.
    release(ticket)
    ticket = nil
  end
  if not ticket then
    local age = redis.call('HINCRBY', key('state'), 'age', 1)
    ticket = {id = wish.id, run = wish.run, tenant = wish.tenant, tokens = wish.tokens, weight = wish.weight,
      place = wish.priority * PLACES + age, calls = 0}
  end
  ticket.owner = wish.owner
  if ticket.state ~= 'ready' then
    stand_in_line(ticket, 'ready')
  end
  save(ticket, now + limit.presence)
end

local function has_slot(scope)
  local slots = scope.caps.concurrent
  return not slots or tonumber(redis.call('HGET', key('slots'), scope.name) or 0) < slots
end

-- When the next call may begin as far as these caps go.
local function opens_at(scope)
  local at = now
  if scope.caps.request_ms then
    at = math.max(at, paid_at('requests', scope) - (limit.burst - 1) * scope.caps.request_ms)
  end
  if scope.caps.token_ms then
    at = math.max(at, paid_at('tokens', scope))
  end
  return at
end

local function count_use(ticket)
  local minute = key('use:' .. math.floor(now / 60000))
  for _, scope in ipairs(scopes(ticket.tenant)) do
    redis.call('HINCRBY', minute, 'requests:' .. scope.name, 1)
    redis.call('HINCRBY', minute, 'tokens:' .. scope.name, ticket.tokens)
  end
  redis.call('PEXPIRE', minute, 180000)
end

local function advance(ticket)
  local tag = tag_of(ticket.tenant)
  local cost = math.max(limit.caps.request_ms or 0, ticket.tokens * (limit.caps.token_ms or 0))
  redis.call('HSET', key('state'), 'served', math.max(tag, state_of('served')))
  for _, state in ipairs(LINES) do
    redis.call('ZADD', key('lines:' .. state), 'XX', tag + (cost > 0 and cost or 1) / ticket.weight, ticket.tenant)
  end
end

local function grant(ticket, at)
  advance(ticket)
  leave_line(ticket)
  for _, scope in ipairs(scopes(ticket.tenant)) do
    -- From when it could have begun, not from when it does: what is lost between two looks is made up for.
    local from = opens_at(scope)
    if scope.caps.request_ms then
      charge('requests', scope, from, scope.caps.request_ms)
    end
    if scope.caps.token_ms then
      charge('tokens', scope, from, ticket.tokens * scope.caps.token_ms)
    end
  end
  change_slots(ticket, 1)
  count_use(ticket)
  ticket.state, ticket.at = 'granted', at
  save(ticket, at + limit.lease)
end

-- The first tenant in the fair order whose own caps let it start.
local function serve_next(horizon)
  local all = {name = 'all', caps = limit.caps}
  local opens = math.max(opens_at(all), state_of('paused'))
  if opens > horizon or not has_slot(all) then
    return false
  end
  for _, tenant in ipairs(redis.call('ZRANGE', key('lines:ready'), 0, -1)) do
    local own = scopes(tenant)[2]
    local at = math.max(opens, opens_at(own))
    if at <= horizon and has_slot(own) then
      grant(load(redis.call('ZRANGE', line('ready', tenant), 0, 0)[1]), at)
      return true
    end
  end
  return false
end

local function count_tenants()
  return math.max(1, redis.call('ZCARD', key('lines:ready')), redis.call('ZCARD', key('lines:parked')))
end

-- What one ticket takes of the limit, in milliseconds.
local function pace(caps, tokens)
  local per_slot = caps.concurrent and (state_of('hold') > 0 and state_of('hold') or 1000) / caps.concurrent or 0
  return math.max(caps.request_ms or 0, tokens * (caps.token_ms or 0), per_slot)
end

local function wait_of(ticket)
  local all, own = unpack(scopes(ticket.tenant))
  local blocked = math.max(opens_at(all), opens_at(own), state_of('paused')) - now
  if ticket.calls > 0 then
    return blocked
  end
  local before = 1
  for _, state in ipairs(LINES) do
    before = before + redis.call('ZCOUNT', line(state, ticket.tenant), '-inf', '(' .. string.format('%.0f', ticket.place))
  end
  local all_before = math.min(before * count_tenants(), redis.call('HLEN', key('tickets')))
  return blocked + math.max(all_before * pace(limit.caps, ticket.tokens), before * pace(limit.per_tenant, ticket.tokens))
end

local function answer(wish)
  local ticket = load(wish.id)
  if ticket.state == 'granted' then
    return {true, math.max(0, ticket.at - now)}
  end
  return {false, math.max(1, wait_of(ticket))}
end

-- How many tickets of one tenant should be ready, so that each moment is used: its part of the next seconds.
local function wanted(tenant)
  local first = load(redis.call('ZRANGE', line('parked', tenant), 0, 0)[1])
  local cost = pace(limit.caps, first.tokens)
  local all = cost > 0 and math.ceil(limit.call_ahead / cost) or limit.max_called
  local part = math.ceil(math.min(all, limit.max_called) / count_tenants())
  return math.max(2, part) - length('ready', tenant) - length('called', tenant)
end

local function call_parked()
  local called, soon = {}, now + limit.call_ahead
  local opens = math.max(opens_at({name = 'all', caps = limit.caps}), state_of('paused'))
  for _, tenant in ipairs(opens <= soon and redis.call('ZRANGE', key('lines:parked'), 0, 99) or {}) do
    local many = opens_at(scopes(tenant)[2]) <= soon and wanted(tenant) or 0
    for _, id in ipairs(many > 0 and redis.call('ZRANGE', line('parked', tenant), 0, many - 1) or {}) do
      local ticket = load(id)
      ticket.lasts_until = tonumber(redis.call('ZSCORE', key('expiry'), id))
      ticket.calls = ticket.calls + 1
      stand_in_line(ticket, 'called')
      save(ticket, now + limit.called)
      table.insert(called, {ticket.run, ticket.step})
    end
  end
  return called
end

clean_up()
renew_held()
for _, wish in ipairs(args.asking) do
  take_in(wish)
end
while serve_next(now + limit.ahead) do end
local answers = {}
for i, wish in ipairs(args.asking) do
  answers[i] = answer(wish)
end
return cjson.encode({answers = answers, called = call_parked()})
