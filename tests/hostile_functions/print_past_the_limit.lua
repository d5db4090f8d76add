-- More than the declared bytes of an answer.
-- answers: 503
return {
    declares = { limits = { response = "1KiB" } },
    content = function()
        assert(ngx.print(("x"):rep(1000)))
        assert(ngx.print(("x"):rep(1000)))
        ngx.say("BROKEN")
    end,
}
