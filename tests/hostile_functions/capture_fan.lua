-- Asks itself many times at once, each of which does the same.
-- calls: 4
return {
    declares = { routes = { "/mallory/capture_fan" }, limits = { concurrent = 64, cpu = "20ms", wait = "2s" } },
    content = function()
        local wanted = {}
        for n = 1, 200 do wanted[n] = { "/mallory/capture_fan", { args = { n = n } } } end
        while true do pcall(ngx.location.capture_multi, wanted) end
    end,
}
