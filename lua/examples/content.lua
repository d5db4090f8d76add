--- Answers by itself: what the client sent, as plain text.
--- phase: content   budget: 10 µs typical

ngx.req.read_body()
local body = ngx.req.get_body_data() or ""

ngx.header["Content-Type"] = "text/plain"
ngx.say(ngx.req.get_method(), " ", ngx.var.request_uri)
ngx.say("from ", ngx.var.remote_addr)
ngx.say(#body, " bytes, md5 ", ngx.md5(body))
