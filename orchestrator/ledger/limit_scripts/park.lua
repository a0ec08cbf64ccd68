-- A waiting ticket's run parks. 0: it has just been granted, and the run goes on instead.

local ticket = load(args.ticket.id)
if not ticket then
  return 1
end
if ticket.state == 'granted' and ticket.owner == args.ticket.owner then
  return 0
end
if is_in_line(ticket) then
  ticket.calls, ticket.step = 0, args.ticket.step
  stand_in_line(ticket, 'parked')
  save(ticket, now + args.lasts)
end
return 1
