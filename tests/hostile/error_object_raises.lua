local e = setmetatable({}, { __tostring = function() error("again") end }) error(e)
