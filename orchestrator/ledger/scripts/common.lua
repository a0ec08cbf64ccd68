-- Deadlines, entries and pointers.

-- Queued runs have a set of their own: a hundred thousand of them must not keep the others waiting.
local function set_deadline(id, deadline, is_queued)
  redis.call('ZADD', is_queued and settings.queued or settings.due, deadline, id)
end

local function drop_deadline(id, is_queued)
  redis.call('ZREM', is_queued and settings.queued or settings.due, id)
end

local function renew_lease(id)
  set_deadline(id, now + settings.lease)
end

-- Without counting it in the size: for those that do that themselves, and for decisions, which are not counted.
local function log_entry(id, entry)
  redis.call('XADD', log_key(id), '*', 'e', entry)
end

local function add_entries(id, entries)
  for _, entry in ipairs(entries) do
    log_entry(id, entry)
  end
  if #entries > 0 then
    redis.call('HINCRBY', run_key(id), 'size', #entries)
  end
end

local function add_entry(id, entry)
  add_entries(id, {entry})
end

-- A small entry of the scripts' own: the template's fields, some replaced. Not for lists: empty ones become objects.
local function fill(template, fields)
  local entry = cjson.decode(template)
  for name, value in pairs(fields) do
    entry[name] = value
  end
  return cjson.encode(entry)
end

-- What is missing is false: an answer ends at the first nil.
local function add_pointer(id, step, task, queue, priority, note, continuation)
  table.insert(pointers, {id, step, task, queue or false, priority or false, note, continuation})
end

local function point_to(id)
  add_pointer(id, unpack(redis.call('HMGET', run_key(id), 'step', 'task', 'queue', 'priority', 'note',
    'continuation')))
end

local function point_to_queued(id)
  if id and get(id, 'status') == 'queued' then
    point_to(id)
  end
end

local function queue_run(id, ...)
  set(id, 'status', 'queued', 'grace', settings.grace, ...)
  redis.call('HDEL', run_key(id), 'holder', 'resting')
  drop_deadline(id)
  set_deadline(id, now + settings.grace, true)
end

-- A parked run goes on, with or without all that it waited for. Until it parks again, a cancel finds its waits.
local function wake(id)
  redis.call('HINCRBY', run_key(id), 'step', 1)
  queue_run(id, 'tries', 0)
  point_to(id)
end

local function get_json(id, field)
  return cjson.decode(get(id, field) or '{}')
end

local function set_json(id, field, value)
  if next(value) then
    set(id, field, cjson.encode(value))
  else
    redis.call('HDEL', run_key(id), field)
  end
end

-- Of a question: {tool, kind, round, expires_at}, and once it is decided the verdict in words and the decision's id.
local function has_expired(question)
  return question.expires_at and question.expires_at <= now
end
