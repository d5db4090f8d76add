--- Timers and what they refuse.  phase: access
fails("expecting at least 2 arguments but got 1", ngx.timer.at, 1)
fails("bad argument #1 to 'at'", ngx.timer.at, -1, function() end)
fails("bad argument #2 to 'at' (Lua function expected", ngx.timer.at, 1, 5)
fails("delay cannot be zero", ngx.timer.every, 0, function() end)
same(ngx.timer.running_count(), 0)
local ran = 0
same(ngx.timer.at(0, function(premature, a, b) ran = premature == false and a + b or -1 end, 1, 2), 1)
same(ngx.timer.pending_count(), 1)
same(ngx.timer.every(0.005, function() ran = ran + 1 end), 1)
ngx.sleep(0.1)
same(ran > 4, true)
