-- The same with the request's, which are sent on.
local giant = ("x"):rep(1000000)
for number = 1, 100000 do
    ngx.req.set_header("X-" .. number, giant)
    ngx.req.set_header("Y-" .. number, { giant, giant, giant, giant })
end
ngx.say("said")
