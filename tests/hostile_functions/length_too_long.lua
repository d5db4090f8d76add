-- Says more than it sends: the client would wait.
ngx.header["Content-Length"] = "1000000"
ngx.print("short")
