=== a timer's lines say whose exchange set it
--- config
    location /t {
        content_by_lua_block {
            local function tick()
                ngx.log(ngx.WARN, "tick")
            end
            ngx.say(ngx.timer.at(0, tick))
            ngx.sleep(0.05)
        }
    }
--- request
GET /t
--- response_body
1
--- error_log eval
qr/\[lua\] content_by_lua\(nginx\.conf:40\):3: tick, context: ngx\.timer, client: 127\.0\.0\.1, server: 0\.0\.0\.0:\d+/

=== a function that a script calls is told by its name, one that the host calls is not
--- config
    location /t {
        content_by_lua_block {
            local function work() ngx.log(ngx.WARN, "done") end
            work()
            ngx.thread.spawn(work)
            ngx.say("ok")
        }
    }
--- request
GET /t
--- error_log eval
["2: work(): done", "2: done"]

=== timers that may not run are told with their functions
--- http_config
    lua_max_running_timers 1;
--- config
    location /t {
        content_by_lua_block {
            local function wait()
                ngx.sleep(1)
            end
            ngx.timer.at(0, wait)
            ngx.timer.at(0, wait)
            ngx.sleep(0.05)
            ngx.say(ngx.timer.running_count(), " ", ngx.timer.pending_count())
        }
    }
--- request
GET /t
--- response_body
1 0
--- error_log
lua failed to run timer with function defined at =content_by_lua(nginx.conf:41):2: 1 lua_max_running_timers are not enough

=== a repeating timer does not wait for its own run
--- config
    location /t {
        content_by_lua_block {
            local begun = 0
            ngx.timer.every(0.02, function()
                begun = begun + 1
                ngx.sleep(3)
            end)
            for _ = 1, 200 do
                if begun > 2 then break end
                ngx.sleep(0.01)
            end
            ngx.say(begun > 2)
        }
    }
--- request
GET /t
--- response_body
true

=== where there is no request, what is about one says so
--- config
    location /t {
        content_by_lua_block {
            local function ask()
                ngx.log(ngx.WARN, select(2, pcall(ngx.req.get_headers)))
                ngx.log(ngx.WARN, select(2, pcall(ngx.say, "x")))
            end
            ngx.timer.at(0, ask)
            ngx.sleep(0.05)
            ngx.say("ok")
        }
    }
--- request
GET /t
--- error_log eval
["API disabled in the current context, context: ngx.timer", "API disabled in the context of ngx.timer, context: ngx.timer"]

=== a sleep that is ended is told
--- config
    location /t {
        content_by_lua_block {
            local sleeper = ngx.thread.spawn(ngx.sleep, 10)
            ngx.say(ngx.thread.kill(sleeper))
        }
    }
--- request
GET /t
--- response_body
1
--- error_log
lua clean up the timer for pending ngx.sleep

=== timers come before their time when the worker ends, and then its last script runs
--- http_config
    exit_worker_by_lua_block {
        ngx.log(ngx.WARN, "farewell, ", ngx.worker.exiting())
        ngx.log(ngx.WARN, select(2, pcall(ngx.timer.at, 0, print)))
    }
--- config
    location /t {
        content_by_lua_block {
            ngx.timer.at(100, function(premature)
                ngx.log(ngx.WARN, "early: ", premature)
            end)
            ngx.say("ok")
        }
    }
--- request
GET /t
--- shutdown_error_log eval
["early: true", "farewell, true", "API disabled in the context of exit_worker_by_lua*"]

=== what init says is said once
--- http_config
    init_by_lua_block {
        print("init ran")
    }
--- config
    location /t { return 200 "ok"; }
--- request
GET /t
--- grep_error_log: init ran
--- grep_error_log_out
init ran

=== a worker begins without what fails in init_worker
--- http_config
    init_worker_by_lua_block {
        nowhere.go()
    }
--- config
    location /t { return 200 "ok"; }
--- request
GET /t
--- response_body: ok
--- error_log
[error]
init_worker_by_lua error: init_worker_by_lua(nginx.conf:

=== workers are told apart
--- config
    location /t {
        content_by_lua_block {
            local pids = ngx.worker.pids()
            ngx.say(#pids, " ", pids[1] == ngx.worker.pid(), " ", ngx.var.pid == tostring(pids[1]))
        }
    }
--- request
GET /t
--- response_body
1 true true
