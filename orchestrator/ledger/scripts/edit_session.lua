-- Changes what a session remembers: adds an exchange, takes the last one off, or forgets all. Answers what it took off.

local session, answer = args.session, false

if args.action == 'add' then
  redis.call('RPUSH', exchanges_key(session), ARGV[FIRST_ENTRY])
elseif args.action == 'pop' then
  answer = redis.call('RPOP', exchanges_key(session))
else
  redis.call('DEL', exchanges_key(session))
  redis.call('HDEL', session_key(session), 'task', 'queue')
end
-- A summary that is being written of what was there is of no use now.
redis.call('HINCRBY', session_key(session), 'edition', 1)
keep_session(session, not floor_holder(session))
return answer
