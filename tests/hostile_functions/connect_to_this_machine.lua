-- Declares places that turn out to be this machine: by a name, and by networks that hold everything.
return {
    declares = { hosts = { "localhost:*", "0.0.0.0/0:*" } },
    content = function()
        for _, host in ipairs({ "127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::" }) do
            for _, port in ipairs({ @ADMIN@, @CANARY@ }) do
                local tcp = ngx.socket.tcp()
                tcp:settimeout(300)
                if tcp:connect(host, port) then
                    tcp:send("DELETE /functions/alice HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    ngx.say("BROKEN ", host, ":", port, " ", tostring(tcp:receive("*a")))
                end
            end
        end
        ngx.say("nowhere")
    end,
}
