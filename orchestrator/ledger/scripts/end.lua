-- Commits an outcome and leaves the session. Answers the outcome that counts, which is to be delivered.

local id = args.run_id

local outcome, size, cancel = check_holder(id, args.fence)
if not outcome then
  outcome = end_with_outcome(size, cancel)
  renew_lease(id)
end
if args.leaves then
  leave_session(id, ARGV[FIRST_ENTRY + #args.entries + 1])
end
return {outcome, pointers}
