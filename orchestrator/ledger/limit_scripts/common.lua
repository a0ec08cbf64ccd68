-- What the scripts of limits share: their arguments, the clock, and the moves of a ticket. Prepended to each of them.
--
-- ARGV: the limit (JSON), this call's arguments (JSON). KEYS: the limit's prefix; all its keys begin with it.
--
-- A ticket is `ready` (somebody asks for it, again and again), `parked` (its run is), `called` (… and is on its way back),
-- `granted`, or `absent` (nobody asks any more; it keeps its place for a while). In the first three it stands in a line
-- of its tenant, by priority and age; `lines:<state>` holds the tenants with such a line by their tag, which is how
-- much they have had for their weight. `served` is the tag of the latest one served: a newcomer's tag begins there.

local limit, args, prefix = cjson.decode(ARGV[1]), cjson.decode(ARGV[2]), KEYS[1]
local LINES = {'ready', 'parked', 'called'}

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function key(name)
  return prefix .. name
end

local function state_of(field)
  return tonumber(redis.call('HGET', key('state'), field) or 0)
end

local function load(id)
  local text = redis.call('HGET', key('tickets'), id)
  return text and cjson.decode(text)
end

local function save(ticket, expires)
  redis.call('HSET', key('tickets'), ticket.id, cjson.encode(ticket))
  redis.call('ZADD', key('expiry'), expires, ticket.id)
end

local function forget(ticket)
  redis.call('HDEL', key('tickets'), ticket.id)
  redis.call('ZREM', key('expiry'), ticket.id)
end

local function line(state, tenant)
  return key('line:' .. state .. ':' .. tenant)
end

local function length(state, tenant)
  return redis.call('ZCARD', line(state, tenant))
end

local function tag_of(tenant)
  for _, state in ipairs(LINES) do
    local tag = redis.call('ZSCORE', key('lines:' .. state), tenant)
    if tag then
      return tonumber(tag)
    end
  end
  return math.max(state_of('served'), tonumber(redis.call('ZSCORE', key('idle'), tenant) or 0))
end

local function is_in_line(ticket)
  return ticket.state == 'ready' or ticket.state == 'parked' or ticket.state == 'called'
end

local function leave_line(ticket)
  if not is_in_line(ticket) then
    return
  end
  local tag = tag_of(ticket.tenant)
  redis.call('ZREM', line(ticket.state, ticket.tenant), ticket.id)
  if length(ticket.state, ticket.tenant) == 0 then
    redis.call('ZREM', key('lines:' .. ticket.state), ticket.tenant)
    redis.call('ZADD', key('idle'), tag, ticket.tenant)
  end
end

local function stand_in_line(ticket, state)
  local tag = tag_of(ticket.tenant)
  leave_line(ticket)
  ticket.state = state
  redis.call('ZADD', line(state, ticket.tenant), ticket.place, ticket.id)
  redis.call('ZADD', key('lines:' .. state), tag, ticket.tenant)
end

-- The limit's own caps, and those of the ticket's tenant.
local function scopes(tenant)
  return {{name = 'all', caps = limit.caps}, {name = 'tenant:' .. tenant, caps = limit.per_tenant}}
end

local function change_slots(ticket, by)
  for _, scope in ipairs(scopes(ticket.tenant)) do
    if redis.call('HINCRBY', key('slots'), scope.name, by) <= 0 then
      redis.call('HDEL', key('slots'), scope.name)
    end
  end
end

-- The time at which all that was let through is paid for: the next may begin then.
local function paid_at(kind, scope)
  return tonumber(redis.call('ZSCORE', key(kind), scope.name) or 0)
end

local function charge(kind, scope, from, cost)
  redis.call('ZADD', key(kind), math.max(paid_at(kind, scope), from) + cost, scope.name)
end

local function release(ticket)
  change_slots(ticket, -1)
  forget(ticket)
end
