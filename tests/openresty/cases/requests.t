=== an error of a function that pcall called has no place
--- config
    location /t {
        content_by_lua_block {
            ngx.say((select(2, pcall(ngx.req.set_uri, ""))))
            ngx.say((select(2, pcall(ngx.escape_uri, "a", 7))))
        }
    }
--- request
GET /t
--- response_body
attempt to use zero-length uri
"type" 7 out of range

=== an unsafe target is shown with its bytes escaped
--- config
    location /t { content_by_lua_block { ngx.redirect("/a\r\nb: \"c\"") } }
--- request
GET /t
--- error_code: 500
--- error_log
unsafe byte "0x0d" in redirect uri "/a\x0D\x0Ab: \x22c\x22"

=== pairs without a name are counted
--- config
    location /t {
        content_by_lua_block {
            local args, err = ngx.req.get_uri_args(2)
            ngx.say(args.a, " ", err)
        }
    }
--- request
GET /t?a=1&=2&=3
--- response_body
1 truncated

=== a long body is in a file with a name, which a script is told
--- config
    location /t {
        client_body_buffer_size 4;
        content_by_lua_block { ngx.req.read_body() ngx.say(ngx.req.get_body_file()) }
    }
--- request
POST /t
hello, file
--- response_body_like: /client_body_temp/\d{10}$
--- error_log
a client request body is buffered to a temporary file

=== a body that a script makes is in a file where it is longer than the script wants
--- config
    location /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.req.init_body(2)
            ngx.req.append_body("hel")
            ngx.req.append_body("lo")
            ngx.req.finish_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file() ~= nil, " ", ngx.var.http_content_length)
        }
    }
--- request
POST /t
x
--- response_body
nil true 5

=== an upstream is asked in HTTP/1.0 unless another version is named
--- config
    location /a { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/b; }
    location /c { proxy_http_version 1.1; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/b; }
    location /b { content_by_lua_block { ngx.print(ngx.var.server_protocol) } }
    location /t {
        content_by_lua_block {
            ngx.say(ngx.location.capture("/a").body, " ", ngx.location.capture("/c").body)
        }
    }
--- request
GET /t
--- response_body
HTTP/1.0 HTTP/1.1

=== the host that was asked stays known
--- config
    location /t {
        content_by_lua_block { ngx.req.clear_header("Host") ngx.say(ngx.var.host, " ", ngx.var.http_host) }
    }
--- request
GET /t
--- response_body
localhost nil

=== names of variables are the same in either case
--- config
    location /t {
        set $Mixed 32;
        content_by_lua_block { ngx.say(ngx.var.MIXED, " ", ngx.var.URI) }
    }
--- request
GET /t
--- response_body
32 /t

=== lines of a head may end with a line feed alone, and are shown as they came
--- config
    location /t { content_by_lua_block { ngx.print(#ngx.req.raw_header(), " ", ngx.var.http_foo) } }
--- raw_request eval
"GET /t HTTP/1.1\nHost: a\nConnection: close\nFoo: b c\n\n"
--- response_body chomp
52 b c

=== a field that is none is told
--- config
    location /t { echo a; }
--- raw_request eval
"GET /t HTTP/1.1\r\nHost: a\r\nFoo: b\r\n c\r\n\r\n"
--- log_level: info
--- error_code: 400
--- error_log
client sent invalid header line: "\x20..." while reading client request headers


=== each table of header fields is the script's own, and as the fields are by then
--- config
    location /t {
        rewrite_by_lua_block { ngx.ctx.seen = ngx.req.get_headers().x_one }
        content_by_lua_block {
            local first, second = ngx.req.get_headers(), ngx.req.get_headers()
            first["x-one"], first["x-two"] = nil, "mine"
            local third = ngx.req.get_headers()
            ngx.say(ngx.ctx.seen, " ", first.x_one, " ", first.x_two, " ", second.x_one, " ", second.x_two, " ", third["X-One"], " ", third.x_two)
            ngx.req.set_header("X-One", "changed")
            ngx.req.set_header("X-Three", { "a", "b" })
            local fourth = ngx.req.get_headers()
            ngx.say(fourth.x_one, " ", table.concat(fourth.x_three, ","), " ", third.x_one)
            ngx.req.clear_header("X-Three")
            ngx.req.clear_header("X-One")
            local last = ngx.req.get_headers()
            ngx.say(last.x_one, " ", last.x_three, " ", getmetatable(last) == getmetatable(first))
        }
    }
--- more_headers
X-One: sent
--- request
GET /t
--- response_body
sent nil mine sent nil sent nil
changed a,b sent
nil nil true
