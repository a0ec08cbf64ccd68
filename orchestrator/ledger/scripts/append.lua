-- Records entries of a running run. Answers with a notice: after a cancel, nothing new may start.

local id = args.run_id

local outcome, size = check_holder(id, args.fence)
if outcome then
  refuse('ENDED')
end

-- Applied before, and the answer was lost. The lease is written all the same: who waits for the disk, waits for that.
if #args.entries > 0 and size == tostring(args.at + #args.entries) then
  renew_lease(id)
  return notice(id)
end

check_size(size, args.at)
for _, started in ipairs(args.started) do
  if get(id, 'call:' .. started[1]) == 'settled' then
    refuse('SETTLED', started[1])
  end
end
record_entries(false)
renew_lease(id)
return notice(id)
