-- Declares one route, and asks for what only looks like it.
-- answers: 200
return {
    declares = { routes = { "/mallory/capture_past" } },
    content = function()
        for _, path in ipairs{"/mallory/capture_past_the_declared", "/mallory/capture_past/../../alice",
                "/mallory/capture_past%2f..%2f..%2falice", "/mallory", "/alice?/mallory/capture_past"} do
            local ok, err = pcall(ngx.location.capture, path)
            assert(not ok, path)
        end
        ngx.say("done")
    end,
}
