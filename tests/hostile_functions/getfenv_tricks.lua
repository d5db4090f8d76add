-- Looks for the environment of its callers.
-- refused: environments cannot be exchanged
local outer = getfenv(0)
setfenv(1, {})
for level = 0, 20 do for name, value in pairs(getfenv(level)) do ngx.say(name) end end
