local f = function() return 1 end for i = 1, 1e4 do local g = f f = function() return 1 + g() end end
while true do pcall(f) end
