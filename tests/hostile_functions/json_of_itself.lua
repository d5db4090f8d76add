-- Has a large table written that holds itself.
-- calls: 4
local t = {}
for i = 1, 1e5 do t["k" .. i] = i end
t.aa = t
return {
    declares = { limits = { cpu = "2s" } },
    content = function()
        ngx.say(pcall(require("cjson").encode, t))
    end,
}
