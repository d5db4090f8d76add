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
-- For at once: whichever way they are set, all run, and one that waits or fails holds up none. (They run
-- in the order in which they were set, as far as the slice is not over.)
local order = {}
local function note(_, name) order[#order + 1] = name end
local many = {}
for n = 1, 30 do many[n] = n end
ngx.timer.at(0, note, "a")
ngx.timer.at(0, function(_, ...) note(_, select("#", ...) .. "") end, unpack(many))
ngx.timer.at("0", note, "b")
ngx.timer.at(0, function() note(nil, "waits") ngx.sleep(0.005) note(nil, "waited") end)
ngx.timer.at(0, function() error("a timer that fails") end)
ngx.timer.at(0, function(premature, ...) note(nil, tostring(premature) .. select("#", ...)) end, nil, 1, nil)
ngx.timer.at(0, function() ngx.timer.at(0, note, "of a timer") note(nil, "c") end)
for n = 1, 100 do ngx.timer.at(0, note, nil) end
ngx.sleep(0.1)
table.sort(order)
same(table.concat(order, ","), "30,a,b,c,false3,of a timer,waited,waits")
-- None stays behind but the one that comes again and again, which may be running just now.
for _ = 1, 100 do
    if ngx.timer.running_count() == 0 then break end
    ngx.sleep(0.001)
end
same(ngx.timer.running_count(), 0)
