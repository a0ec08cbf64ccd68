-- Creates a run, queued at step 1. Repeated: points to it while it is still queued there.

check_digest(args.new)
start_run(args.new, ARGV[FIRST_ENTRY])
return pointers
