-- The limit at one glance, as JSON. A tenant's requests and tokens are those of this minute and a part of the last.

local this_minute = math.floor(now / 60000)
local left_of_last = 1 - (now / 60000 - this_minute)
local tenants = {}

local function add(name, field, amount)
  tenants[name] = tenants[name] or {requests = 0, tokens = 0, held = 0, waiting = 0, parked = 0}
  tenants[name][field] = tenants[name][field] + amount
end

for minute, part in pairs({[this_minute] = 1, [this_minute - 1] = left_of_last}) do
  local fields = redis.call('HGETALL', key('use:' .. minute))
  for i = 1, #fields, 2 do
    local field, scope = string.match(fields[i], '^(%a+):(.*)$')
    add(scope, field, fields[i + 1] * part)
  end
end
local slots = redis.call('HGETALL', key('slots'))
for i = 1, #slots, 2 do
  add(slots[i], 'held', tonumber(slots[i + 1]))
end
for state, field in pairs({ready = 'waiting', called = 'parked', parked = 'parked'}) do
  for _, tenant in ipairs(redis.call('ZRANGE', key('lines:' .. state), 0, -1)) do
    add('tenant:' .. tenant, field, length(state, tenant))
    add('all', field, length(state, tenant))
  end
end
return cjson.encode({paused = math.max(0, state_of('paused') - now), scopes = tenants})
