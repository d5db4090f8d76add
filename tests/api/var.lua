--- nginx's variables.  phase: access
for name, value in pairs({
    remote_addr = "192.0.2.7", remote_port = "40000", realip_remote_addr = "192.0.2.7",
    binary_remote_addr = "\192\0\2\7", uri = "/a b/c", document_uri = "/a b/c",
    request_uri = "/a%20b/./c?x=1&y=%41+b&flag&x=2&empty=", args = "x=1&y=%41+b&flag&x=2&empty=",
    query_string = "x=1&y=%41+b&flag&x=2&empty=", is_args = "?", arg_x = "1", arg_X = "1",
    arg_y = "%41+b", arg_empty = "", http_user_agent = "lua/test", http_host = "Shop.Example:8080",
    http_x_many = "one, two", cookie_session = "abc", cookie_theme = "dark",
    host = "shop.example", server_name = "shop.example", scheme = "http", https = "",
    request_method = "POST", server_addr = "198.51.100.1", server_port = "8080",
    server_protocol = "HTTP/1.1", request_id = "0123456789abcdef0123456789abcdef",
    content_type = "application/x-www-form-urlencoded", status = "000", connection = "17",
    connection_requests = "3", body_bytes_sent = "0", bytes_sent = "0", request_length = "0",
    request = "POST /a%20b/./c?x=1&y=%41+b&flag&x=2&empty= HTTP/1.1",
}) do
    same(ngx.var[name], value, name)
end
for _, name in ipairs({"arg_none", "arg_flag", "http_none", "cookie_none", "sent_http_none", "content_length",
    "upstream", "upstream_addr", "upstream_status", "upstream_response_time",
    "upstream_header_time", "request_body", "request_body_file", "route", "no_such_variable"}) do
    same(ngx.var[name], nil, name)
end
same(ngx.var[1], nil)
same(#ngx.var.hostname > 0, true)
same(tonumber(ngx.var.pid), ngx.worker.pid())
same(tonumber(ngx.var.msec) > 1e9, true)
same(tonumber(ngx.var.request_time) < 60, true)
same(ngx.re.find(ngx.var.time_iso8601, [[^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$]]), 1)
same(ngx.re.find(ngx.var.time_local, [[^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$]]), 1)
ngx.var.upstream = "other"
same(ngx.var.upstream, "other")
ngx.var.args = "b=2 3"
same(ngx.var.args, "b=2%203") same(ngx.var.arg_b, "2%203")
ngx.var.my_own = 5
same(ngx.var.my_own, "5")
ngx.var.my_own = nil
same(ngx.var.my_own, nil)
fails('variable "remote_addr" not changeable', function() ngx.var.remote_addr = "x" end)
fails('variable "http_x" not changeable', function() ngx.var.http_x = "x" end)
fails("bad variable value", function() ngx.var.x = {} end)
fails("bad variable name", function() return ngx.var[{}] end)
fails("too many variables", function() for i = 1, 1000 do ngx.var["v" .. i] = "x" end end)
fails("readonly", function() ngx.re.match = nil end)
fails("readonly", rawset, ngx, "log", print)
