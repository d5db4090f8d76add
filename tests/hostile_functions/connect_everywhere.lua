-- Connects to what it did not declare, in every spelling.
local hosts = { "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "::1", "[::1]", "::ffff:127.0.0.1", "[::ffff:7f00:1]", "0.0.0.0", "::", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "127.000.000.001", "①②⑦.0.0.1", "unix:/tmp/x", "127.0.0.1\0.example", "127.0.0.1:@CANARY@", "169.254.169.254", "ip6-localhost", "", " 127.0.0.1", "127.0.0.1 ", "0", "127.0.0.1%lo" }
for _, host in ipairs(hosts) do
    for _, port in ipairs({ @CANARY@, @ADMIN@ }) do
        local tcp = ngx.socket.tcp()
        tcp:settimeout(200)
        local ok, connected = pcall(tcp.connect, tcp, host, port)
        if ok and connected then ngx.say("BROKEN ", host) end
        local udp = ngx.socket.udp()
        local ok, set = pcall(udp.setpeername, udp, host, port)
        if ok and set then ngx.say("BROKEN udp ", host) end
    end
end
ngx.say("nowhere")
