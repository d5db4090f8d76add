=== a function of a module computes on a thread of a pool
--- main_config
    thread_pool hashing threads=2 max_queue=10;
--- http_config
    lua_package_path "$TEST_NGINX_HTML_DIR/?.lua;;";
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.run_worker_thread("hashing", "sums", "digest", { "a", "b" }))
            ngx.say(ngx.run_worker_thread("none", "sums", "digest", {}))
            ngx.say(ngx.run_worker_thread("hashing", "sums", "digest", { print }))
            ngx.say(ngx.run_worker_thread("hashing", "sums"))
        }
    }
--- user_files
>>> sums.lua
return { digest = function(words) return ngx.md5(table.concat(words)) end }
--- request
GET /t
--- response_body
true187ef4436122d1cc2f40dc2b92f0eba0
falsethread pool none not found
falseunsupported Lua type: LUA_TFUNCTION in the argument
falseexpecting at least 3 arguments

=== a pool that is declared wrongly is refused
--- main_config
    thread_pool hashing threads=many;
--- config
--- must_die
--- error_log
[emerg] invalid value "threads=many" in
