-- Gives strings and nil metamethods that answer for everybody.
for _, victim in ipairs({ "", 1, true, print }) do
    pcall(function() getmetatable(victim).__concat = function() return "BROKEN" end end)
    pcall(function() getmetatable(victim).__eq = function() return true end end)
    pcall(function() getmetatable(victim).__call = function() return "BROKEN" end end)
end
ngx.say("a" .. "b")
