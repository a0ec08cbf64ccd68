-- Flags a run and, through its waits, all below it. Parked ones are woken, to end themselves. Holders are told.

cancel_run(args.run_id, args.reason)
return pointers
