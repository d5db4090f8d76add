-- Targets of megabytes.
pcall(ngx.req.set_uri, "/" .. ("x"):rep(3000000))
pcall(ngx.req.set_uri, "/a\r\nX-Broken: yes")
pcall(ngx.req.set_uri_args, ("\255"):rep(3000000))
pcall(ngx.req.set_method, 1e9)
ngx.exit(ngx.DECLINED)
