-- Declarations that are not data.
-- refused: push_with_odd_declarations
local own = setmetatable({}, { __index = function() while true do end end })
own.hosts = own
return { content = function() end, declares = own }
