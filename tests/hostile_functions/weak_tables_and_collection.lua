-- Weak tables whose keys come back to life.
local weak = setmetatable({}, { __mode = "k" })
for number = 1, 1e6 do weak[{ number }] = setmetatable({}, { __gc = function(self) weak[self] = self end, __mode = "kv" }) end
