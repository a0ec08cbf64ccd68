-- Creates a run, queued at step 1, in the line of its session, or with what is taken over from the run that it repeats. Repeated: points to it while it is queued there.

check_digest(args.new)
if args.new.session and not get(args.new.run_id, 'status') then
  join_session(args.new, ARGV[FIRST_ENTRY])
  return pointers
end
if args.new.retry_of and not get(args.new.run_id, 'status') then
  start_run(args.new, ARGV[FIRST_ENTRY])
  for i = FIRST_ENTRY + 1, #ARGV do
    add_entry(args.new.run_id, ARGV[i])
  end
  if get(args.new.retry_of, 'status') then
    set(args.new.retry_of, 'retried_by', args.new.run_id)
  end
  return pointers
end
start_run(args.new, ARGV[FIRST_ENTRY])
return pointers
