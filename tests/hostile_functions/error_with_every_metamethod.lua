-- Errors whose metamethods loop, raise and allocate.
local function loop() while true do end end
local function grow() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end
for _, work in ipairs({ error, loop, grow }) do
    local object = setmetatable({}, { __eq = work, __lt = work, __le = work, __len = work, __close = work, __gc = work, __mode = "kv", __name = "x", __metatable = work, __iter = work, __concat = work, __unm = work, __call = work, __tostring = work, __pairs = work })
    pcall(error, object)
    xpcall(error, work, object)
end
error("none ended")
