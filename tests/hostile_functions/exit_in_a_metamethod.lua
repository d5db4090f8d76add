-- Leaves from where nobody leaves.
local t = setmetatable({}, { __index = function() ngx.exit(403) end, __tostring = function() ngx.exit(418) end, __gc = function() ngx.exit(200) end, __close = function() ngx.exit(200) end })
pcall(ngx.say, t)
pcall(table.concat, t)
local _ = t.x
ngx.say("BROKEN")
