-- The same by another door.
local giant = ("x"):rep(1000000)
for number = 1, 100000 do waf.set_trusted_header("X-" .. number, giant) end
ngx.say("said")
