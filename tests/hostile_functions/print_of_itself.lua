-- A table that holds itself.
local t = {}
t[1], t[2] = t, t
pcall(ngx.say, t)
pcall(ngx.log, ngx.ERR, t)
ngx.say("said")
