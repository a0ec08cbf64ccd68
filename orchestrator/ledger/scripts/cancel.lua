-- Flags a run and, through its waits, all below it. Parked ones are woken, to end themselves.

cancel_run(args.run_id)
return pointers
