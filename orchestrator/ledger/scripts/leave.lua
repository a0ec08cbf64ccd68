-- Takes an ended run out of its session, where a script has ended it that knew no exchange.

check_holder(args.run_id, args.fence)
if not get(args.run_id, 'outcome') then
  refuse('UNFINISHED')
end
leave_session(args.run_id, ARGV[FIRST_ENTRY])
return pointers
