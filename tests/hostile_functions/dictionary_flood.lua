-- Fills the dictionary that it was granted, and scans it.
-- calls: 4
return {
    declares = { dictionaries = { "mallorys" } },
    content = function()
        local own = ngx.shared.mallorys
        if not own then return ngx.say("none") end
        local value = ("x"):rep(60000)
        for number = 1, 1e6 do
            own:set(("k"):rep(1000) .. number, value)
            own:rpush("list", value)
            own:incr("n" .. number, 1, 0)
            own:get_keys(0)
        end
    end,
}
