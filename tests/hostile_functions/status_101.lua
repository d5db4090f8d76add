-- Switches to a protocol of its own.
ngx.header.upgrade = "websocket"
ngx.header.connection = "Upgrade"
ngx.status = 101
ngx.print("nobody")
