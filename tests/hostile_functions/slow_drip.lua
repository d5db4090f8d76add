-- A letter now and then, for ever.
-- calls: 4
-- answers: 503 closed
return {
    declares = { limits = { wait = "500ms" } },
    content = function()
        while true do
            ngx.print("x")
            ngx.flush(true)
            ngx.sleep(0.05)
        end
    end,
}
