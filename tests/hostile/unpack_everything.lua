local t = table.create(7000, 1) local function f(...) return f(..., table.unpack(t)) end while true do pcall(f) end
