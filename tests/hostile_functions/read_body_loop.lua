-- Reads the body again and again.
-- answers: 503
while true do ngx.req.read_body() ngx.req.get_body_data() ngx.req.discard_body() end
