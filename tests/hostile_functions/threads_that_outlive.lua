-- Leaves threads behind that go on, and holds on to them.
-- answers: 200
return {
    content = function()
        kept = kept or {}
        for _, co in ipairs(kept) do
            assert(coroutine.status(co) == "dead")
            assert(not coroutine.resume(co))
            assert(not pcall(coroutine.close, co))
            assert(not ngx.thread.kill(co))
        end
        for n = 1, 10 do
            kept[n] = ngx.thread.spawn(function() while true do ngx.sleep(0.001) end end)
        end
        ngx.say("done")
        ngx.exit(200)
    end,
}
