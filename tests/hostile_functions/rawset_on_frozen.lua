-- Writes past metatables into what is frozen.
local broken = 0
for name, library in pairs({ string = string, table = table, math = math, ngx = ngx, waf = waf, os = os }) do
    if pcall(rawset, library, "leaked", "BROKEN") and library.leaked then broken = broken + 1 end
    if pcall(function() table.clear(library) end) then broken = broken + 1 end
    if pcall(table.insert, library, "BROKEN") then broken = broken + 1 end
    if pcall(table.move, { "BROKEN" }, 1, 1, 1, library) and rawget(library, 1) then broken = broken + 1 end
    if pcall(setmetatable, library, { __index = function() return "BROKEN" end }) then broken = broken + 1 end
end
if broken > 0 then ngx.say("BROKEN ", broken) end
ngx.say("frozen")
