-- Native functions that call Lua that calls native functions.
local function deeper(n)
    return pcall(ngx.re.gsub, "a", "a", function() return tostring(deeper(n + 1)) end)
end
deeper(1)
local t = setmetatable({}, {})
getmetatable(t).__tostring = function() return tostring(t) end
pcall(tostring, t)
ngx.say("done")
