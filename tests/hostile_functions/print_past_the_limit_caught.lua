-- The same, going on after it was told.
return {
    declares = { limits = { response = "1KiB", cpu = "100ms" } },
    content = function()
        for _ = 1, 1000 do pcall(ngx.print, ("x"):rep(100)) end
    end,
}
