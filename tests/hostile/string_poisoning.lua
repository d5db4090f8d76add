pcall(function() string.find = print end) pcall(rawset, string, "find", 1) pcall(table.clear, string)
pcall(function() getmetatable("").__index = { rep = 1 } end) pcall(setmetatable, string, { __index = error })
pcall(table.freeze, _G) pcall(function() for k in pairs(_G) do _G[k] = nil end end)
for name in pairs({ "pcall", "tostring", "type", "assert" }) do _G[name] = nil end leaked = 1
