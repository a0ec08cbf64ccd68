-- Makes a message's worker the holder of a run's step, with all that it needs to go on. Nil: the message is stale.

local id = args.run_id

local function read_run()
  return unpack(redis.call('HMGET', run_key(id), 'status', 'step', 'holder', 'outcome', 'fence', 'tries', 'task',
    'questions', 'released'))
end

local status, step, holder, outcome, last_fence, tries, task, has_questions, released = read_run()
if not status and args.new and args.step == 1 then
  create_run(args.new, ARGV[FIRST_ENTRY])
  status, step, holder, outcome, last_fence, tries, task, has_questions, released = read_run()
end

local function may_take()
  if step ~= tostring(args.step) then
    return false
  end
  -- Redelivered to us while we hold it: our predecessor died. An outcome waits for the lease instead, because its
  -- second delivery must come after Celery's chord dispatch claim has lapsed.
  return status == 'queued' or status == 'running' and holder == args.message and not outcome
end

-- Refused before anything is written: a run that newer workers have gone on with stays as it is for them.
-- Entries begin with their version, but for those that scripts make, which are small and may have it anywhere.
local function check_version(text)
  local version = string.match(text, '^{"v":(%d+)') or string.match(text, '"v":(%d+)')
  if version and tonumber(version) > settings.version then
    refuse('NEWER', version)
  end
end

if not may_take() then
  return false
end

-- The claimer has read the log up to `known`, unless the server has lost that since, with its power, say.
local knows = args.known ~= nil and #redis.call('XRANGE', log_key(id), args.known, args.known) > 0
local log, last = {}, args.known
local function read_on(from)
  for _, item in ipairs(redis.call('XRANGE', log_key(id), from, '+')) do
    last = item[1]
    table.insert(log, item[2][2])
  end
end

read_on(knows and '(' .. last or '-')
for _, text in ipairs(log) do
  check_version(text)
end

-- Never one that was given out before, even if the server has lost that claim with its power: hence the clock.
local fence = math.max(last_fence + 1, now)
tries = tries + 1
set(id, 'status', 'running', 'holder', args.message, 'fence', string.format('%d', fence), 'tries', tries)
leave_lane(id)
drop_deadline(id, true)
set_deadline(id, now + (args.lease or settings.lease))
add_entry(id, fill(args.invoked, {task = task, fence = fence, after_release = released == last_fence}))

-- Questions whose time has passed are rejected here, by the clock that `decide` reads, too.
local function expire_questions()
  local questions = get_json(id, 'questions')
  for call, question in pairs(questions) do
    if not question.verdict and has_expired(question) then
      question.verdict = settings.expired
      add_entry(id, fill(args.expired, {call_id = call}))
    end
  end
  set_json(id, 'questions', questions)
end

if not outcome then
  if has_questions then
    expire_questions()
  end
  if tries > settings.max_tries then
    set_outcome(id, with_usage(args.poisoned))
  end
end
read_on('(' .. last)
local fields = redis.call('HMGET', run_key(id), 'fence', 'size', 'task', 'cancel', 'outcome', 'parent', 'parent_call',
  'continuation')
return {log, fields, notice(id), last, knows}
