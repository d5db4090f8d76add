-- Things of the host that are far larger than the list they are made of, kept for ever.
-- calls: 6
kept = {}
return {
    declares = { limits = { cpu = "2s" } },
    content = function()
        for turn = 1, 100 do
            local items = {}
            for number = 1, 5000 do items[number] = ("10.%d.%d.%d"):format(turn, number // 256, number % 256) end
            kept[#kept + 1] = waf.ip_set { items = items }
        end
        ngx.say(#kept)
    end,
}
