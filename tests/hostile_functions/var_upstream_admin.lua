-- The same, to the admin address.
pcall(function() ngx.var.upstream = "127.0.0.1:@ADMIN@" end)
pcall(function() ngx.req.set_uri("/functions") end)
ngx.exit(ngx.DECLINED)
