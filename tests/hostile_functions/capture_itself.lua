-- Asks itself, which asks itself.
-- calls: 4
return {
    declares = { routes = { "/mallory/capture_itself" }, limits = { concurrent = 20, wait = "2s" } },
    content = function()
        local res = ngx.location.capture("/mallory/capture_itself")
        ngx.say(res.status, " ", res.body)
    end,
}
