-- Coroutines that are begun and never ended, kept for ever.
kept = {}
return {
    content = function()
        for number = 1, 100000 do
            local co = coroutine.wrap(function(text) while true do text = coroutine.yield(text .. number) end end)
            co(("x"):rep(100))
            kept[#kept + 1] = co
        end
        ngx.say(#kept)
    end,
}
