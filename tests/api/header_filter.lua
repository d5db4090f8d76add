--- The response head may still be changed.  phase: header_filter
same(ngx.status, 200)
ngx.status = 503
same(ngx.status, 503)
same(ngx.var.status, "503")
same(ngx.header.content_type, "text/html")
ngx.header.content_length = nil
ngx.header["X-Frame-Options"] = "DENY"
same(ngx.resp.get_headers()["x-frame-options"], "DENY")
same(#ngx.resp.get_headers()["set-cookie"], 2)
same(ngx.resp.get_headers(0, true)["content-type"], "text/html")
local few, err = ngx.resp.get_headers(1)
same(err, "truncated") same(few["content-type"], "text/html")
same(ngx.var.sent_http_set_cookie, "a=1, b=2")
same(ngx.var.sent_http_x_frame_options, "DENY")
