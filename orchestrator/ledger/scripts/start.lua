-- Creates a run, queued at step 1, or in the line of its session. Repeated: points to it while it is queued there.

check_digest(args.new)
if args.new.session and not get(args.new.run_id, 'status') then
  join_session(args.new, ARGV[FIRST_ENTRY])
  return pointers
end
start_run(args.new, ARGV[FIRST_ENTRY])
return pointers
