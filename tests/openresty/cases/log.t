=== a script's place is its block and the line in it
--- config
    location /t {
        content_by_lua_block {
            ngx.log(ngx.ERR, "on the second line")
            ngx.say("x")
        }
    }
--- request
GET /t
--- error_log eval
qr/\[error\] \d+#\d+: \*\d+ \[lua\] content_by_lua\(nginx\.conf:40\):2: on the second line, client: 127\.0\.0\.1, server: localhost, request: "GET \/t HTTP\/1\.1", host: "localhost"/

=== a script's error is told with its place
--- config
    location /t { content_by_lua_block { error("bad luck") } }
--- request
GET /t
--- error_code: 500
--- error_log
lua entry thread aborted: runtime error: content_by_lua(nginx.conf:39):1: bad luck

=== levels below the one that is wanted are left out
--- log_level: warn
--- config
    location /t {
        content_by_lua_block { ngx.log(ngx.INFO, "quiet") ngx.log(ngx.WARN, "loud") ngx.say("x") }
    }
--- request
GET /t
--- error_log
loud
--- no_error_log
quiet

=== a script that does not compile fails when it is called
--- config
    location /t { content_by_lua_block { if if } }
    location /u { return 200 "ok"; }
--- request
GET /t
--- error_code: 500
--- error_log
failed to load inlined Lua code: content_by_lua(nginx.conf:39)

=== a script's file that is not there is told
--- config
    location /t { content_by_lua_file html/none.lua; }
--- request
GET /t
--- error_code: 404
--- error_log
failed to load external Lua file

=== a directive that is not known keeps it from starting
--- config
    location /t { no_such_directive on; }
--- request
GET /t
--- must_die
--- error_log
unknown directive "no_such_directive" in

=== what cannot be written is refused where it would be written
--- log_level: warn
--- config
    location /t {
        content_by_lua_block {
            ngx.say((pcall(ngx.log, ngx.DEBUG, {})))
            ngx.say((select(2, pcall(ngx.log, ngx.ERR, {}))))
            ngx.say((select(2, pcall(ngx.log, ngx.ERR, print))))
        }
    }
--- request
GET /t
--- response_body
true
bad argument #1 to 'log' (expected table to have __tostring metamethod)
bad argument #1 to 'log' (string, number, boolean, or nil expected, got function)
