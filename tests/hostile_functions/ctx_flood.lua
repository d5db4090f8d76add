-- What is carried over to the operator's own scripts is one text in Lua, and would be thousands there.
local giant = ("x"):rep(3000000)
for number = 1, 4000 do ngx.ctx["k" .. number] = giant end
local deep = ngx.ctx
for _ = 1, 100000 do deep.t = {} deep = deep.t end
ngx.ctx.own = ngx.ctx
ngx.ctx.leaked = "BROKEN"
ngx.say("done")
