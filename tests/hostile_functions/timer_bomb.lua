-- Timers that start two timers each.
local function again() ngx.timer.at(0, again) ngx.timer.at(0, again) end
for _ = 1, 100000 do
    ngx.timer.at(0, again)
    ngx.timer.every(0.001, again)
end
ngx.say(ngx.timer.pending_count())
