-- Buffers past their ends, and of all memory.
for _, size in ipairs({ -1, 0, 1e9, 2 ^ 31, 2 ^ 53, 0 / 0 }) do pcall(buffer.create, size) end
local own = buffer.create(8)
for _, at in ipairs({ -1, 8, 7, 2 ^ 31, 2 ^ 32 - 1, -2 ^ 31, 0 / 0, 2 ^ 53 }) do
    if pcall(buffer.writeu32, own, at, 1) then ngx.say("BROKEN ", at) end
    if pcall(buffer.readf64, own, at) and at ~= 0 then ngx.say("BROKEN ", at) end
    pcall(buffer.copy, own, at, own, 0, 8) pcall(buffer.fill, own, at, 255, 2 ^ 31) pcall(buffer.readstring, own, at, 2 ^ 31)
end
kept = {}
while true do kept[#kept + 1] = buffer.create(1000000) end
