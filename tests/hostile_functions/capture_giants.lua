-- Keeps the host busy with answers of answers.
return {
    declares = { routes = { "/mallory/capture_giants" }, limits = { memory = "8MiB", response = "1MiB", concurrent = 300 } },
    content = function()
        if ngx.is_subrequest then return ngx.print(("x"):rep(1000000)) end
        local wanted, kept = {}, {}
        for n = 1, 100 do wanted[n] = { "/mallory/capture_giants" } end
        for _ = 1, 10 do
            for _, res in ipairs{ ngx.location.capture_multi(wanted) } do kept[#kept + 1] = res.body end
        end
        ngx.say(#kept)
    end,
}
