-- Commits an outcome and reports it to the parent; leaves the session. Answers the outcome that counts.

local id = args.run_id

local outcome, size, cancel = check_holder(id, args.fence)
if outcome then
  point_to_queued(get(id, 'parent'))
  if args.leaves then
    leave_session(id, ARGV[FIRST_ENTRY + #args.entries + 1])
  end
  return {outcome, pointers}
end

check_size(size, args.at)
local is_cancelled = cancel and not args.is_cancelled
outcome = end_run(not is_cancelled and ARGV[FIRST_ENTRY + #args.entries], cancel)
if args.leaves then
  leave_session(id, ARGV[FIRST_ENTRY + #args.entries + 1])
end
return {outcome, pointers}
