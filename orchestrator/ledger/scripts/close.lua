-- The outcome is delivered: the run is done and expires after the retention.

local id = args.run_id

local status, fence = unpack(redis.call('HMGET', run_key(id), 'status', 'fence'))
if status == 'done' and fence == tostring(args.fence) then
  return
end
if not check_holder(id, args.fence) then
  refuse('UNFINISHED')
end
finish_run(id)
