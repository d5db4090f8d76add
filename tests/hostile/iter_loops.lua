local t = setmetatable({}, { __iter = function() return function() return 1 end end }) for _ in t do end
