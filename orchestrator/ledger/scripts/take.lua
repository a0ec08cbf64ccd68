-- How somebody becomes the holder of a run's step, with all that is needed to go on.

-- A log, as far as its reader does not know it. `knows`: it has read up to `known`, and the server has not lost that
-- since, with its power, say.
local function read_log(id, known)
  local knows = known ~= nil and #redis.call('XRANGE', log_key(id), known, known) > 0
  return {id = id, knows = knows, last = knows and known, texts = {}}
end

local function read_on(log)
  for _, item in ipairs(redis.call('XRANGE', log_key(log.id), log.last and '(' .. log.last or '-', '+')) do
    log.last = item[1]
    table.insert(log.texts, item[2][2])
  end
end

-- The version of an entry that newer workers have written, if there is one. Entries begin with their version, but for
-- those that scripts make, which are small and may have it anywhere.
local function newer_version(log)
  for _, text in ipairs(log.texts) do
    local version = string.match(text, '^{"v":(%d+)') or string.match(text, '"v":(%d+)')
    if version and tonumber(version) > settings.version then
      return version
    end
  end
end

-- The run as it is before it is taken.
local function read_step(id)
  local status, step, holder, outcome, fence, tries, task, queue, released, questions = unpack(redis.call('HMGET',
    run_key(id), 'status', 'step', 'holder', 'outcome', 'fence', 'tries', 'task', 'queue', 'released', 'questions'))
  return {status = status, step = step, holder = holder, outcome = outcome, fence = fence, tries = tries, task = task,
    queue = queue, released = released, questions = questions}
end

-- `taker`: {message, lease, and `invoked`, the entry that says so}. It is counted in `run.tries`.
local function take(id, run, taker)
  -- Never one that was given out before, even if the server has lost that claim with its power: hence the clock.
  local fence = math.max(run.fence + 1, now)
  run.tries = run.tries + 1
  set(id, 'status', 'running', 'holder', taker.message, 'fence', string.format('%d', fence), 'tries', run.tries)
  drop_deadline(id, true)
  set_deadline(id, now + (taker.lease or settings.lease))
  add_entry(id, fill(taker.invoked,
    {step = tonumber(run.step), task = run.task, fence = fence, after_release = run.released == run.fence}))
end

-- What the new holder is told, with what this script has written.
local function taken(log)
  read_on(log)
  local fields = redis.call('HMGET', run_key(log.id), 'step', 'fence', 'size', 'task', 'cancel', 'outcome', 'parent',
    'parent_call', 'continuation', 'priority')
  return {log.texts, fields, notice(log.id), log.last, log.knows}
end
