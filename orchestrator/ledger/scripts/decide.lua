-- Records what a person decided about a question of a run, at any time from its asking to the run's end. A parked run
-- goes on. The first decision counts.

local id = args.run_id

local status, outcome, is_cancelled = unpack(redis.call('HMGET', run_key(id), 'status', 'outcome', 'cancel'))
local questions = get_json(id, 'questions')
local question = questions[args.call_id]

if not status then
  refuse('UNKNOWN')
elseif question and question.decision == args.decision then
  -- Decided before, by this very call, and the answer was lost.
  point_to_queued(id)
  return pointers
elseif outcome or is_cancelled then
  refuse('OVER')
elseif not question then
  refuse('NOT_ASKED', args.call_id)
elseif question.verdict then
  refuse('DECIDED', question.verdict)
elseif has_expired(question) then
  refuse('DECIDED', settings.expired)
elseif not args.kinds[question.kind] then
  refuse('MISFIT', question.kind)
end

-- Of a decision for always, the run's other open approvals of that tool are a part.
for call, other in pairs(questions) do
  if call == args.call_id or args.always and other.kind == 'approval' and other.tool == question.tool then
    other.verdict = other.verdict or args.verdict
    other.decision = other.decision or args.decision
  end
end
set_json(id, 'questions', questions)
-- Not counted in the size: a holder's next write must not fail because of this.
log_entry(id, ARGV[FIRST_ENTRY])
if status == 'parked' then
  wake(id)
end
return pointers
