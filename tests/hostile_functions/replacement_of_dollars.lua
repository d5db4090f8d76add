-- Has a replacement taken apart that is nothing but groups.
-- calls: 4
local dollars = ("$0"):rep(2e6)
return {
    declares = { limits = { cpu = "2s" } },
    content = function()
        for _ = 1, 4 do ngx.re.gsub("a", "a", dollars) end
        ngx.say("done")
    end,
}
