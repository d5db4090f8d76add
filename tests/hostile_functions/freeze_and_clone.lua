-- Clones what is frozen, freezes what is not its own.
local own = table.clone(string)
own.rep = function() return "BROKEN" end
pcall(setmetatable, "", { __index = own })
pcall(table.freeze, ngx.ctx) pcall(table.freeze, package.loaded) pcall(table.freeze, _G)
pcall(table.freeze, ngx.req.get_headers()) pcall(table.clone, ngx) pcall(table.clone, ngx.shared)
local clone = table.clone(ngx)
pcall(function() clone.say = nil ngx.say("kept") end)
leaked = 1
ngx.say(("x"):rep(2))
