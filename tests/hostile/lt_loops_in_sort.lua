local m = { __lt = function() while true do pcall(error) end end }
local t = {} for i = 1, 100 do t[i] = setmetatable({}, m) end table.sort(t)
