-- Has regexes compiled that take a megabyte each, and keeps them.
-- calls: 4
local kept = {}
return {
    declares = { limits = { cpu = "2s" } },
    content = function()
        for i = 1, 600 do
            kept[#kept + 1] = ngx.re.gmatch("a", "(?:[a-z0-9]{1,900}" .. i .. "|x){1,8}")
        end
        ngx.say(#kept)
    end,
}
