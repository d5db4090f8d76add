-- Calls methods on objects that are not theirs.
local socket = ngx.socket.tcp()
for _, object in ipairs({ {}, { 1 }, { socket[1] }, socket, ngx.var, ngx.header, setmetatable({}, { __index = function() return socket[1] end }), "x", 1 }) do
    for _, method in ipairs({ "connect", "send", "receive", "close", "setkeepalive", "settimeout", "setpeername" }) do
        pcall(socket[method], object, "127.0.0.1", @CANARY@)
    end
end
ngx.say("said")
