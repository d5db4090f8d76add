-- Calls itself over a socket, again and again.
-- calls: 4
return {
    declares = { hosts = { "127.0.0.1:@SELF@" }, limits = { concurrent = 8, wait = "2s" } },
    content = function()
        for _ = 1, 4 do
            local tcp = ngx.socket.tcp()
            tcp:settimeout(1000)
            if tcp:connect("127.0.0.1", @SELF@) then
                tcp:send("GET /mallory/own_route HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                tcp:receive("*a")
            end
        end
        ngx.say("done")
    end,
}
