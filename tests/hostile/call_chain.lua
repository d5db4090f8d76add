local f = function() end for i = 1, 1e5 do f = setmetatable({}, { __call = f }) end
while true do pcall(f) end
