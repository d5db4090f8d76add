-- Work that goes on when the call is over.
local started = ngx.timer.at(0, function() while true do ngx.sleep(0) ngx.log(ngx.ERR, "BROKEN still here") end end)
if started then ngx.say("BROKEN") else ngx.say("none") end
