--- The response's header fields, before there is a response.  phase: access
same(ngx.header.content_type, nil)
ngx.header.content_type = "text/plain"
same(ngx.header["Content-Type"], "text/plain")
same(ngx.header["content-type"], "text/plain")
ngx.header["X-Number"] = 5
same(ngx.header.x_number, "5")
ngx.header["Set-Cookie"] = {"a=1", "b=2"}
same(type(ngx.header.set_cookie), "table")
same(ngx.header.set_cookie[2], "b=2")
ngx.header["Content-Type"] = {"a/b", "c/d"}
same(ngx.header.content_type, "c/d")
ngx.header["X-Evil"] = "a\r\nX-Injected: 1\0"
same(ngx.header["X-Evil"], "a%0D%0AX-Injected: 1%00")
ngx.header["X-Ev\r\nil: x"] = "1"
same(ngx.header["X-Injected"], nil)
ngx.header["X-Number"] = nil
same(ngx.header["X-Number"], nil)
ngx.header["Set-Cookie"] = {}
same(ngx.header["Set-Cookie"], nil)
fails("empty header name", function() ngx.header[""] = "x" end)
local headers = ngx.resp.get_headers()
same(headers["content-type"], "c/d")
same(headers.Content_Type, "c/d")
same(ngx.var.sent_http_content_type, "c/d")
