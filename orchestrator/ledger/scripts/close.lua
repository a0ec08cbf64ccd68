-- The outcome is delivered: the run is done and expires after the retention.

local id = args.run_id

if get(id, 'status') == 'done' and get(id, 'fence') == tostring(args.fence) then
  return
end
check_holder(id, args.fence)
if not get(id, 'outcome') then
  refuse('UNFINISHED')
end
set(id, 'status', 'done')
drop_deadline(id)
redis.call('PEXPIRE', run_key(id), settings.retention)
redis.call('PEXPIRE', log_key(id), settings.retention)
