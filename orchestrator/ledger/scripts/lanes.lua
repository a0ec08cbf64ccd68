-- Lanes: how many of a tenant's runs have a message.

-- Of one tenant's runs for one queue only so many have a message: a worker takes messages in their order, and those
-- of other tenants must not come after thousands. The others are held back, with a deadline far off.
local function lane_key(kind, lane)
  return settings.lanes .. kind .. ':' .. lane
end

local function enter_lane(id, lane)
  set(id, 'lane', lane)
  if redis.call('SCARD', lane_key('queued', lane)) < settings.queued_per_lane then
    redis.call('SADD', lane_key('queued', lane), id)
    return true
  end
  local place = (get(id, 'priority') or 0) * 1e13 + now
  redis.call('ZADD', lane_key('held', lane), place, id)
  set_deadline(id, now + settings.held_back)
  return false
end

local function is_held_back(id)
  local lane = get(id, 'lane')
  return lane and redis.call('ZSCORE', lane_key('held', lane), id)
end

-- A run that was held back gets its message now.
local function admit(id, lane)
  redis.call('ZREM', lane_key('held', lane), id)
  redis.call('SADD', lane_key('queued', lane), id)
end

-- The run was claimed: its place is another's, whom the next reconcile publishes.
local function leave_lane(id)
  local lane = get(id, 'lane')
  if not lane then
    return
  end
  redis.call('ZREM', lane_key('held', lane), id)
  redis.call('SREM', lane_key('queued', lane), id)
  local free = settings.queued_per_lane - redis.call('SCARD', lane_key('queued', lane))
  for _, next_id in ipairs(free > 0 and redis.call('ZRANGE', lane_key('held', lane), 0, free - 1) or {}) do
    admit(next_id, lane)
    set_deadline(next_id, now)
  end
end
