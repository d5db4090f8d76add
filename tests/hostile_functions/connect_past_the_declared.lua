-- Declares one place and connects to another.
return {
    declares = { hosts = { "api.example:443", "192.0.2.0/24:*" } },
    content = function()
        for _, host in ipairs({ "127.0.0.1", "localhost", "::ffff:127.0.0.1", "api.example\0", "192.0.2.1.127.0.0.1", "192.0.2.1@127.0.0.1" }) do
            local tcp = ngx.socket.tcp()
            tcp:settimeout(200)
            local ok, connected = pcall(tcp.connect, tcp, host, @CANARY@)
            if ok and connected then ngx.say("BROKEN ", host) end
        end
        ngx.say("nowhere")
    end,
}
