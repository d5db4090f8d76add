=== a location is asked before the access handlers whether a request is admitted
--- config
    location /auth {
        content_by_lua_block {
            ngx.header["X-User"] = "ann"
            ngx.exit(ngx.var.wanted == "yes" and 204 or 403)
        }
    }
    location /t {
        set $wanted $arg_in;
        auth_request /auth;
        auth_request_set $user $sent_http_x_user;
        content_by_lua_block { ngx.say("user ", ngx.var.user) }
    }
--- request
GET /t?in=yes
--- response_body
user ann

=== what a location refuses is refused
--- config
    location /auth { content_by_lua_block { ngx.exit(403) } }
    location /t {
        auth_request /auth;
        content_by_lua_block { ngx.say("not here") }
    }
--- request
GET /t
--- error_code: 403
--- response_body_like: 403 Forbidden

=== a location that says neither yes nor no is a fault
--- config
    location /auth { return 404; }
    location /t {
        auth_request /auth;
        content_by_lua_block { ngx.say("not here") }
    }
--- request
GET /t
--- error_code: 500
--- error_log
auth request unexpected status: 404

=== how to be admitted is told with the refusal
--- config
    location /auth {
        content_by_lua_block {
            ngx.header["WWW-Authenticate"] = "Basic realm=shop"
            ngx.exit(401)
        }
    }
    location /t { auth_request /auth; root html; }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm=shop

=== either admits: a location where the address is denied
--- config
    location /auth { return 204; }
    location /t {
        satisfy any;
        deny all;
        auth_request /auth;
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- response_body
in

=== either admits: a handler that declines admits nobody
--- config
    location /t {
        satisfy any;
        deny all;
        access_by_lua_block { ngx.exit(ngx.DECLINED) }
        content_by_lua_block { ngx.say("not here") }
    }
--- request
GET /t
--- error_code: 403
--- error_log
access forbidden by rule

=== a script that asks sees a status and no page
--- config
    error_page 404 /page;
    location /page { content_by_lua_block { ngx.say("page") } }
    location /none { return 404; }
    location /t {
        content_by_lua_block {
            local res = ngx.location.capture("/none")
            ngx.say(res.status, " [", res.body, "]")
        }
    }
--- request
GET /t
--- response_body
404 []

=== what was said before an end without an answer is kept
--- config
    location /sub { content_by_lua_block { ngx.print("half") ngx.exit(ngx.ERROR) } }
    location /t {
        content_by_lua_block {
            local res = ngx.location.capture("/sub")
            ngx.say(res.status, " ", res.body, " ", res.truncated)
        }
    }
--- request
GET /t
--- response_body
200 half true

=== the length of what only a head was asked for is told
--- config
    location /t {
        content_by_lua_block {
            local res = ngx.location.capture("/a.txt", { method = ngx.HTTP_HEAD })
            ngx.say(res.header["Content-Length"], " [", res.body, "]")
        }
    }
--- user_files
>>> a.txt
hello
--- request
GET /t
--- response_body
6 []

=== a variable that nobody declared is not given to a subrequest
--- config
    location /sub { return 204; }
    location /t {
        content_by_lua_block {
            local _, err = pcall(ngx.location.capture, "/sub", { vars = { cat = 1 } })
            ngx.say(err)
        }
    }
--- request
GET /t
--- response_body_like
variable "cat" cannot be assigned a value \(maybe you forgot to define it first\?\)

=== a named location gets no query of its own
--- config
    location /t { content_by_lua_block { ngx.exec("@back?a=1", "b=2") } }
    location @back { content_by_lua_block { ngx.say("[", ngx.var.args, "]") } }
--- request
GET /t
--- response_body
[nil]

=== an upstream that breaks off is told
--- config
    location /app {
        content_by_lua_block {
            ngx.header["Content-Length"] = 100
            ngx.print("half")
            ngx.flush(true)
            ngx.exit(ngx.ERROR)
        }
    }
    location /ask {
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/app;
    }
    location /t {
        content_by_lua_block {
            local res = ngx.location.capture("/ask")
            ngx.say(res.status, " ", res.body, " ", res.truncated)
        }
    }
--- request
GET /t
--- response_body
200 half true
--- error_log
upstream prematurely closed connection

=== an error page answers for an upstream that cannot be reached
--- config
    error_page 502 = @sorry;
    location @sorry { content_by_lua_block { ngx.status = 200 ngx.say("sorry") } }
    location /t { proxy_pass http://127.0.0.1:1; }
--- request
GET /t
--- response_body
sorry

=== an error page takes the place of what an upstream answers
--- config
    location /app { return 404; }
    location /t {
        proxy_intercept_errors on;
        error_page 404 /page;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/app;
    }
    location /page { content_by_lua_block { ngx.say("page of ", ngx.var.uri) } }
--- request
GET /t
--- error_code: 404
--- response_body
page of /page

=== a status leads to the next server
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { return 503; }
    }
    upstream backend {
        server 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }
--- config
    location /t {
        proxy_next_upstream http_503;
        proxy_pass http://backend/back;
        log_by_lua_block { ngx.log(ngx.WARN, "went: ", ngx.var.upstream_status) }
    }
    location /back { content_by_lua_block { ngx.say("here") } }
--- request
GET /t
--- response_body
here
--- error_log eval
qr/went: (503, )?200 while logging request/

=== an upstream is asked from an address of ours
--- config
    location /t {
        set $from 127.0.0.7;
        proxy_bind $from;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
    location /back { content_by_lua_block { ngx.say(ngx.var.remote_addr) } }
--- request
GET /t
--- response_body
127.0.0.7

=== an address that is not ours is told
--- config
    location /t {
        proxy_bind 100.100.100.100;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
--- request
GET /t
--- error_code: 500
--- error_log
bind(100.100.100.100) failed (99: Cannot assign requested address)
