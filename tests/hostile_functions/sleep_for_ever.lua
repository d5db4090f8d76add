-- Waits for the end of time.
-- calls: 4
-- answers: 503
return {
    declares = { limits = { wait = "300ms" } },
    content = function()
        pcall(ngx.sleep, 1 / 0)
        pcall(ngx.sleep, -1)
        pcall(ngx.sleep, 0 / 0)
        ngx.sleep(1e7)
    end,
}
