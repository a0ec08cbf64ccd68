-- Commits an outcome and leaves the session. Answers the outcome that counts, which is to be delivered.

local id = args.run_id

local kept = args.in_passing and kept_outcome()
if kept then
  return {kept, pointers}
end

local outcome, size, cancel = check_holder(id, args.fence)
if not outcome then
  outcome = end_with_outcome(size, cancel)
  keep_for_delivery(id)
end
if args.leaves then
  leave_session(id, ARGV[FIRST_ENTRY + #args.entries + 1])
end
return {outcome, pointers}
