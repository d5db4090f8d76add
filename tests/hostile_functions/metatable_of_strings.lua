-- Poisons the methods of all strings.
local meta = getmetatable("")
pcall(function() meta.__index = function() return "BROKEN" end end)
pcall(function() getmetatable("").__index.rep = function() return "BROKEN" end end)
pcall(rawset, string, "rep", function() return "BROKEN" end)
pcall(setmetatable, "", { __index = {} })
ngx.say(("x"):rep(2), " ", type(meta))
