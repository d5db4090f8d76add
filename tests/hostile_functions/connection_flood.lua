-- Sockets without end, none of them closed.
-- calls: 4
kept = {}
for number = 1, 100000 do
    kept[number] = ngx.socket.tcp()
    kept[number]:connect("127.0.0.1", @CANARY@)
    ngx.socket.udp():setpeername("127.0.0.1", @CANARY@)
end
