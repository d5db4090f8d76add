=== a script chooses the peer
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            assert(balancer.set_current_peer("127.0.0.1", $TEST_NGINX_SERVER_PORT))
            ngx.log(ngx.WARN, "phase ", ngx.get_phase())
        }
    }
--- config
    location /t { proxy_pass http://backend/back; }
    location /back { content_by_lua_block { ngx.say("here") } }
--- request
GET /t
--- response_body
here
--- error_log
phase balancer while connecting to upstream

=== a peer that fails is followed by another
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            local state, status = balancer.get_last_failure()
            ngx.log(ngx.WARN, "last: ", state, " ", status)
            if not state then
                assert(balancer.set_more_tries(1))
                return assert(balancer.set_current_peer("127.0.0.1", 1))
            end
            assert(balancer.set_current_peer("127.0.0.1:$TEST_NGINX_SERVER_PORT"))
        }
    }
--- config
    location /t { proxy_pass http://backend/back; }
    location /back { content_by_lua_block { ngx.say("here") } }
--- request
GET /t
--- response_body
here
--- error_log
last: nil nil
last: failed 502
connect() failed (111: Connection refused) while connecting to upstream

=== tries have an end
--- http_config
    proxy_next_upstream_tries 3;
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            local ok, err = balancer.set_more_tries(9)
            ngx.log(ngx.WARN, "try: ", ok, " ", err)
            assert(balancer.set_current_peer("127.0.0.1", 1))
        }
    }
--- config
    location /t { proxy_pass http://backend; }
--- request
GET /t
--- error_code: 502
--- grep_error_log eval: qr/try: \w+ [\w ]+(?= while)/
--- grep_error_log_out
try: true reduced tries due to limit
try: true reduced tries due to limit
try: true reduced tries due to limit

=== a script may refuse the request
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block { ngx.exit(403) }
    }
--- config
    location /t { proxy_pass http://backend; }
--- request
GET /t
--- error_code: 403

=== a script that fails is a fault of the server
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block { ngx.sleep(1) }
    }
--- config
    location /t { proxy_pass http://backend; }
--- request
GET /t
--- error_code: 500
--- error_log
failed to run balancer_by_lua*: balancer_by_lua(nginx.conf:
API disabled in the context of balancer_by_lua*

=== names are not looked up
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            local ok, err = require("ngx.balancer").set_current_peer("app.example", 80)
            ngx.log(ngx.WARN, "it is ", ok, ": ", err)
            ngx.exit(403)
        }
    }
--- config
    location /t { proxy_pass http://backend; }
--- request
GET /t
--- error_code: 403
--- error_log
it is nil: no host allowed

=== the request is made anew
--- http_config
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            ngx.var.who = "ann"
            ngx.req.set_body_data("hello")
            assert(balancer.recreate_request())
            assert(balancer.set_current_peer("127.0.0.1", $TEST_NGINX_SERVER_PORT))
        }
    }
--- config
    location /t {
        set $who nobody;
        proxy_set_header X-Who $who;
        proxy_pass http://backend/back;
    }
    location /back {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say(ngx.var.http_x_who, " ", ngx.req.get_body_data())
        }
    }
--- request
POST /t
--- response_body
ann hello

=== outside of its phase the module does nothing
--- config
    location /t {
        content_by_lua_block {
            ngx.say(select(2, require("ngx.balancer").set_current_peer("127.0.0.1", 80)))
            ngx.say(pcall(require("ngx.balancer").set_timeouts, 0))
        }
    }
--- request
GET /t
--- response_body_like
^no upstream found
false.*bad connect timeout

=== a server in reserve gets no requests, and that is told
--- http_config
    upstream app {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT max_fails=2 fail_timeout=5s;
        server 127.0.0.1:1 backup;
        server 127.0.0.1:2 down;
    }
--- config
    location /app { content_by_lua_block { ngx.say("here") } }
    location /t { proxy_pass http://app/app; }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["here\n", "here\n", "here\n"]
--- error_log
`server 127.0.0.1:1 backup` is not carried over: it gets no requests
--- no_error_log
down
[error]

=== another server is asked where one does not answer
--- http_config
    upstream app { server 127.0.0.1:1; server 127.0.0.1:$TEST_NGINX_SERVER_PORT; }
--- config
    location /app { content_by_lua_block { ngx.say("here") } }
    location /t { proxy_pass http://app/app; }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["here\n", "here\n", "here\n"]
--- error_log
connect() failed (111: Connection refused) while connecting to upstream
