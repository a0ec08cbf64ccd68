-- Nothing starts until the server's time is over.

redis.call('HSET', key('state'), 'paused', math.max(state_of('paused'), now + args.milliseconds))
