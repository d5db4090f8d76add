local t = setmetatable({}, { __concat = function(a, b) while true do pcall(error) end end }) return t .. "x"
