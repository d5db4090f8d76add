-- Computes in requests to itself what it may not compute in one.
-- answers: 503
return {
    declares = { routes = { "/mallory/capture_pays_with_others" }, limits = { cpu = "20ms", wait = "5s" } },
    content = function()
        if ngx.is_subrequest then
            local began, n = os.clock(), 0
            while os.clock() - began < 0.015 do n = n + 1 end
            return ngx.say(n)
        end
        for _ = 1, 50 do ngx.location.capture("/mallory/capture_pays_with_others") end
        ngx.say("done")
    end,
}
