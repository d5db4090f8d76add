-- An error whose words take for ever.
error(setmetatable({}, { __tostring = function() while true do end end }))
