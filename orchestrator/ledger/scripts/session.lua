-- Sessions: one run at a time has the floor, others wait in line. Prepended, after common, to the scripts that need it.
--
-- A run in line is parked without a wait. Its fields: `session`, `in_line`, and how it joins (`keep_last` …). What a
-- run adds to its session is one exchange: the JSON text of a list of items, which no script parses.

local function session_key(session)
  return string.format(settings.session_template, session)
end

local function exchanges_key(session)
  return session_key(session) .. ':exchanges'
end

local function line_key(session)
  return session_key(session) .. ':line'
end

local function runs_key(session)
  return session_key(session) .. ':runs'
end

-- A run that is done, or gone, does not hold the floor, whatever has become of it: nobody must wait for it.
local function floor_holder(session)
  local id = redis.call('HGET', session_key(session), 'floor')
  local status = id and get(id, 'status')
  return status and status ~= 'done' and id or nil
end

-- A session expires when it has been idle for long, and never while a run is at work on it.
local function keep_session(session, is_idle)
  redis.call('HSET', session_key(session), 'updated_at', now)
  for _, key in ipairs({session_key(session), exchanges_key(session), line_key(session), runs_key(session)}) do
    if is_idle then
      redis.call('PEXPIRE', key, settings.session_retention)
    else
      redis.call('PERSIST', key)
    end
  end
end

-- What of the session a run is given: the latest exchanges, or, to be summarised, all but the latest.
local function exchanges_for(session, id)
  local keep, compacts = unpack(redis.call('HMGET', run_key(id), 'keep_last', 'compacts'))
  if compacts then
    return redis.call('LRANGE', exchanges_key(session), 0, -(tonumber(keep or 0) + 1))
  end
  return redis.call('LRANGE', exchanges_key(session), keep and -tonumber(keep) or 0, -1)
end

-- Concatenated, not encoded, as all that holds items: cjson turns empty lists into objects.
local function history_entry(session, exchanges, agent, compacts)
  local items = {}
  for _, exchange in ipairs(exchanges) do
    table.insert(items, string.sub(exchange, 2, -2))
  end
  return '{"v":' .. settings.version .. ',"type":"history","session":' .. cjson.encode(session)
    .. ',"agent":' .. cjson.encode(agent or '') .. ',"compacts":' .. (compacts and 'true' or 'false')
    .. ',"items":[' .. table.concat(items, ',') .. ']}'
end

local function give_floor(session, id)
  local compacts, keeps_agent = unpack(redis.call('HMGET', run_key(id), 'compacts', 'keeps_agent'))
  local task, queue, edition = unpack(redis.call('HMGET', session_key(session), 'task', 'queue', 'edition'))
  local goes_on_with = keeps_agent and task or nil
  if goes_on_with then
    set(id, 'task', task)
    redis.call('HDEL', run_key(id), 'queue')
    if queue then
      set(id, 'queue', queue)
    end
  end
  local exchanges = exchanges_for(session, id)
  if compacts then
    set(id, 'compacts', #exchanges, 'edition', edition or 0)
  end
  redis.call('HSET', session_key(session), 'floor', id)
  add_entry(id, history_entry(session, exchanges, goes_on_with and string.match(task, '%.(.*)'), compacts))
  redis.call('HDEL', run_key(id), 'in_line')
  queue_run(id)
  point_to(id)
end

-- If nobody has the floor, the first in line gets it who still waits: one that was cancelled has left the line.
local function move_line(session)
  while not floor_holder(session) do
    local id = redis.call('LPOP', line_key(session))
    if not id then
      redis.call('HDEL', session_key(session), 'floor')
      break
    end
    if get(id, 'status') == 'parked' and get(id, 'in_line') then
      give_floor(session, id)
    end
  end
  keep_session(session, not floor_holder(session))
end

-- A line moves when the floor is left. Looked after all the same, should its holder be lost with its data. A run whose
-- time is over is woken in line, to end itself.
local function look_after_line(id)
  local ends = ends_at(id)
  if ends and ends <= now then
    wake(id)
    return
  end
  set_deadline(id, earlier(now + settings.max_grace, ends))
  move_line(get(id, 'session'))
end

local function join_session(new, entry)
  local id, session = new.run_id, new.session
  local holder = floor_holder(session)
  if holder and new.if_busy == 'reject' then
    refuse('BUSY', session .. ' ' .. holder)
  end
  create_run(new, entry)
  set(id, 'session', session)
  for _, field in ipairs({'keep_last', 'compacts', 'keeps_agent'}) do
    if new[field] then
      set(id, field, new[field])
    end
  end
  redis.call('RPUSH', runs_key(session), id)
  redis.call('LTRIM', runs_key(session), -settings.session_runs_kept, -1)
  set(id, 'status', 'parked', 'in_line', 1)
  redis.call(new.if_busy == 'interrupt' and 'LPUSH' or 'RPUSH', line_key(session), id)
  look_after_line(id)
end

-- The summary takes the place of what it sums up, unless somebody has changed that meanwhile.
local function compact_session(session, id, summary)
  local count, edition = unpack(redis.call('HMGET', run_key(id), 'compacts', 'edition'))
  local current = redis.call('HGET', session_key(session), 'edition') or '0'
  if summary ~= '[]' and current == edition and tonumber(count) > 0 then
    redis.call('LTRIM', exchanges_key(session), count, -1)
    redis.call('LPUSH', exchanges_key(session), summary)
  end
end

local function add_exchange(session, id, exchange)
  redis.call('RPUSH', exchanges_key(session), exchange)
  local task, queue = unpack(redis.call('HMGET', run_key(id), 'task', 'queue'))
  redis.call('HSET', session_key(session), 'task', task)
  redis.call('HDEL', session_key(session), 'queue')
  if queue then
    redis.call('HSET', session_key(session), 'queue', queue)
  end
end

-- An ended run leaves its exchange and the floor; repeated, or without the floor, it changes nothing but the line.
local function leave_session(id, exchange)
  local session, compacts = unpack(redis.call('HMGET', run_key(id), 'session', 'compacts'))
  if not session then
    return
  end
  if redis.call('HGET', session_key(session), 'floor') ~= id then
    redis.call('LREM', line_key(session), 0, id)
    point_to_queued(redis.call('HGET', session_key(session), 'floor'))
    return
  end
  if compacts then
    compact_session(session, id, exchange)
  elseif exchange ~= '[]' then
    add_exchange(session, id, exchange)
  end
  redis.call('HDEL', session_key(session), 'floor')
  move_line(session)
end
