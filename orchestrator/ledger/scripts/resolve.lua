-- Closes one open wait of a parked run by a decision from outside.

close_wait(args.run_id, args.wait, ARGV[FIRST_ENTRY])
return pointers
