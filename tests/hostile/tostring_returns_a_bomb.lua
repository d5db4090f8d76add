local e = setmetatable({}, { __tostring = function() return ("x"):rep(8e6) end })
for i = 1, 1e9 do pcall(tostring, e) end error(e)
