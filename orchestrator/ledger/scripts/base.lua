-- What every script begins with: its arguments, the clock, and the fields of a run.
--
-- A script is this file's definitions and those of the files that stand above the others, as far as it needs them,
-- after `settings`, a table that is the same for all calls. So these files hold definitions alone.
-- ARGV: this call's arguments (JSON), then entries: each the JSON text that goes to the log.
-- Entries hold whole conversations, so no script parses them, nor an outcome. `add_entry` takes them as they are.
-- Run ids are met on the way (a parent, open waits), so keys cannot be declared in KEYS: one primary holds them all.

local args = cjson.decode(ARGV[1])
local FIRST_ENTRY = 2

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The answer's pointers: what the caller has to publish.
local pointers = {}

local function root_of(id)
  return string.match(id, '^[^:]*')
end

local function run_key(id)
  return string.format(settings.run_template, root_of(id), id)
end

local function log_key(id)
  return string.format(settings.log_template, root_of(id), id)
end

-- Abort the script. Only before its first write: Redis does not roll back.
local function refuse(code, detail)
  error({err = code .. ' ' .. (detail or args.run_id)})
end

local function get(id, field)
  return redis.call('HGET', run_key(id), field)
end

local function set(id, ...)
  redis.call('HSET', run_key(id), 'updated_at', now, ...)
end
