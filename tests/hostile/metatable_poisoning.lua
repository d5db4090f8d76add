local m = getmetatable(_G) pcall(function() m.__index.leaked = 1 end) pcall(rawset, m, "__index", {})
pcall(setmetatable, _G, { __index = error }) local h = getmetatable("") pcall(rawset, h, "__index", nil)
_G._G = nil _G.leaked = 1 setmetatable({}, { __index = function() leaked = 1 end })
