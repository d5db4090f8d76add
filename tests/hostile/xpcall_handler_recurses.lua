local function h(e) return xpcall(error, h, e) end xpcall(error, h, "x") while true do pcall(h, 1) end
