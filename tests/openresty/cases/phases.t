=== handlers run in the order of the phases
--- config
    location /t {
        rewrite_by_lua_block { ngx.ctx.way = ngx.get_phase() }
        access_by_lua_block { ngx.ctx.way = ngx.ctx.way .. " " .. ngx.get_phase() }
        content_by_lua_block { ngx.say(ngx.ctx.way, " ", ngx.get_phase()) }
    }
--- request
GET /t
--- response_body
rewrite access content

=== server rewrite and precontent have their place
--- config
    server_rewrite_by_lua_block { ngx.ctx.way = ngx.get_phase() }
    location /t {
        precontent_by_lua_block { ngx.ctx.way = ngx.ctx.way .. " " .. ngx.get_phase() }
        content_by_lua_block { ngx.say(ngx.ctx.way) }
    }
--- request
GET /t
--- response_body
server_rewrite precontent

=== a header filter changes the head
--- config
    location /t {
        content_by_lua_block { ngx.say("x") }
        header_filter_by_lua_block { ngx.header["X-Phase"] = ngx.get_phase() }
    }
--- request
GET /t
--- response_headers
X-Phase: header_filter

=== a body filter changes the body
--- config
    location /t {
        content_by_lua_block { ngx.print("small") }
        body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1]:upper() }
    }
--- request
GET /t
--- response_body chomp
SMALL

=== a log handler sees the status
--- config
    location /t {
        content_by_lua_block { ngx.status = 202 ngx.say("x") }
        log_by_lua_block { ngx.log(ngx.WARN, "it was ", ngx.status) }
    }
--- request
GET /t
--- error_code: 202
--- error_log
it was 202

=== access refuses before content runs
--- config
    location /t {
        access_by_lua_block { return ngx.exit(ngx.HTTP_FORBIDDEN) }
        content_by_lua_block { ngx.log(ngx.ERR, "reached") }
    }
--- request
GET /t
--- error_code: 403
--- no_error_log
reached

=== addresses are admitted or refused before scripts run
--- config
    location /t {
        allow 192.0.2.0/24;
        deny all;
        access_by_lua_block { ngx.log(ngx.ERR, "reached") }
    }
--- request
GET /t
--- error_code: 403
--- error_log
access forbidden by rule
--- no_error_log
reached

=== handlers further in take the place of those further out
--- config
    access_by_lua_block { ngx.ctx.who = "server" }
    location /t { content_by_lua_block { ngx.say(ngx.ctx.who) } }
    location /u {
        access_by_lua_block { ngx.ctx.who = "location" }
        content_by_lua_block { ngx.say(ngx.ctx.who) }
    }
--- request eval
["GET /t", "GET /u"]
--- response_body eval
["server\n", "location\n"]

=== init makes what handlers find
--- http_config
    init_by_lua_block { greeting = "made early" }
--- config
    location /t { content_by_lua_block { ngx.say(greeting) } }
--- request
GET /t
--- response_body
made early

=== the body is read beforehand where that is wanted
--- config
    location /t {
        lua_need_request_body on;
        content_by_lua_block { ngx.print(ngx.req.get_body_data()) }
    }
--- request
POST /t
a body
--- response_body chomp
a body

=== a body that is too large is refused
--- config
    client_max_body_size 4;
    location /t { content_by_lua_block { ngx.req.read_body() ngx.say("read") } }
--- request
POST /t
too much
--- error_code: 413

=== an API that a phase does not have is refused in its words
--- config
    location /t {
        header_filter_by_lua_block { ngx.say("no") }
        content_by_lua_block { ngx.print("x") }
    }
--- request
GET /t
--- ignore_response
--- error_log
API disabled in the context of header_filter_by_lua*
