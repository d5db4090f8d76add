-- A thousand fields that are one text in Lua, and would be a thousand in the host.
local giant = ("x"):rep(3000000)
local all = {}
for number = 1, 1000 do all[number] = giant end
ngx.header["X-Giant"] = all
for number = 1, 1000 do ngx.header["X-" .. number] = all end
ngx.say("said")
