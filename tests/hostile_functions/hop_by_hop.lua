-- Fields that belong to the connection, not to the function.
ngx.header.connection = "keep-alive, upgrade"
ngx.header.upgrade = "h2c"
ngx.header.trailer = "X-Evil"
ngx.header["proxy-connection"] = "keep-alive"
ngx.header["keep-alive"] = "timeout=100000"
ngx.header.te = "trailers"
ngx.print("ok")
