-- Handlers of handlers.
local function deeper(n) return function() return xpcall(error, deeper(n + 1)) end end
while true do xpcall(error, deeper(1)) end
