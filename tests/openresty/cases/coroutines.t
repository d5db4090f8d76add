=== a coroutine that returns nothing gives true alone
--- config
    location /t {
        content_by_lua_block {
            ngx.say(select("#", coroutine.resume(coroutine.create(function() end))))
        }
    }
--- request
GET /t
--- response_body
1

=== a thread that resumed a coroutine is normal while that waits
--- config
    location /t {
        content_by_lua_block {
            local thread = ngx.thread.spawn(function()
                coroutine.resume(coroutine.create(function() ngx.sleep(0.02) end))
                ngx.sleep(1)
            end)
            ngx.say(coroutine.status(thread))
            ngx.sleep(0.5)
            ngx.say(coroutine.status(thread))
        }
    }
--- request
GET /t
--- response_body
normal
running

=== an error's stacks are those of all coroutines that it went through
--- config
    location /t {
        content_by_lua_block {
            local inner = coroutine.wrap(function() error("deep") end)
            local outer = coroutine.wrap(function() inner() end)
            outer()
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
["lua entry thread aborted: runtime error: content_by_lua(nginx.conf:40):2: deep", "coroutine 0:", "coroutine 1:", "coroutine 2:"]

=== who waits for a thread learns what it gave to error
--- config
    location /t {
        content_by_lua_block {
            local function fail() error("bad luck") end
            ngx.say(ngx.thread.wait(ngx.thread.spawn(fail)))
        }
    }
--- request
GET /t
--- response_body
falsebad luck
--- error_log
lua user thread aborted: runtime error: content_by_lua(nginx.conf:40):2: bad luck

=== a thread may leave while another waits for the request's body
--- config
    location /t {
        content_by_lua_block {
            ngx.thread.spawn(function()
                ngx.sleep(0.05)
                ngx.say("enough")
                ngx.exit(0)
            end)
            ngx.req.read_body()
            ngx.say("never")
        }
    }
--- request
POST /t
--- more_headers
Content-Length: 10
--- response_body
enough

=== ngx.exit takes no status of the host
--- config
    location /t {
        content_by_lua_block { ngx.exit(ngx.AGAIN) }
    }
--- request
GET /t
--- error_code: 500
--- error_log
bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE

=== a client that went away is told, also where a script wants to know
--- config
    location /t {
        lua_check_client_abort on;
        content_by_lua_block {
            ngx.on_abort(function()
                ngx.log(ngx.WARN, "it is gone")
                ngx.exit(499)
            end)
            ngx.sleep(3)
        }
    }
--- request
GET /t
--- timeout: 0.2
--- abort
--- wait: 2
--- ignore_response
--- error_log
client prematurely closed connection
it is gone
