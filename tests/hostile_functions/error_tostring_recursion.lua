-- An error whose words are another error's, and so on.
local meta = {}
meta.__tostring = function(self) error(setmetatable({}, meta)) end
error(setmetatable({}, meta))
