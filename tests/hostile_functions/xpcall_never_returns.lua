-- A handler of errors that never comes back, and raises.
local function handler() while true do end end
xpcall(error, handler, "x")
xpcall(function() xpcall(error, handler, "y") end, handler)
while true do xpcall(error, error) end
