-- Sends the request to where it was not sent.
ngx.var.upstream = "127.0.0.1:@CANARY@"
ngx.exit(ngx.DECLINED)
