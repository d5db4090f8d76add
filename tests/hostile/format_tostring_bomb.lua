local t = setmetatable({}, { __tostring = function() return ("x"):rep(7e6) end })
while true do pcall(string.format, "%s%s%s%s", t, t, t, t) end
