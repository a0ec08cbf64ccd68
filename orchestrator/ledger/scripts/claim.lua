-- Makes a message's worker the holder of a run's step, with all that it needs to go on. Nil: the message is stale.

local id = args.run_id

local run = read_step(id)
if not run.status and args.new and args.step == 1 then
  create_run(args.new, ARGV[FIRST_ENTRY])
  run = read_step(id)
end

local function may_take()
  if run.step ~= tostring(args.step) then
    return false
  end
  -- Redelivered to us while we hold it: our predecessor died. An outcome waits for the lease instead, because its
  -- second delivery must come after Celery's chord dispatch claim has lapsed.
  return run.status == 'queued' or run.status == 'running' and run.holder == args.message and not run.outcome
end

if not may_take() then
  return false
end

local log = read_log(id, args.known)
read_on(log)
-- Refused before anything is written: a run that newer workers have gone on with stays as it is for them.
local version = newer_version(log)
if version then
  refuse('NEWER', version)
end
take(id, run, args)
leave_lane(id)

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

if not run.outcome then
  if run.questions then
    expire_questions()
  end
  if run.tries > settings.max_tries then
    set_outcome(id, with_usage(args.poisoned))
  end
end
return taken(log)
