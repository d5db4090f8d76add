=== as much fits as in nginx
--- http_config
    lua_shared_dict zone 20k;
--- config
    location /t {
        content_by_lua_block {
            local zone, page = ngx.shared.zone, ("x"):rep(4000)
            ngx.say(zone:capacity(), " ", zone:free_space())
            ngx.say(zone:set("a", page), zone:safe_set("b", page))
            ngx.say(zone:safe_set("c", page))
            ngx.say(zone:set("c", page))
            ngx.say(zone:get("a"), " ", #zone:get("c"), " ", zone:free_space())
        }
    }
--- request
GET /t
--- response_body
20480 8192
truetruenilfalse
falseno memoryfalse
trueniltrue
nil 4000 0

=== nil is not added
--- http_config
    lua_shared_dict zone 20k;
--- config
    location /t {
        content_by_lua_block {
            ngx.say(ngx.shared.zone:add("a", nil))
            ngx.shared.zone:set("n", 1)
            ngx.say(select("#", ngx.shared.zone:incr("n", 2)))
        }
    }
--- request
GET /t
--- response_body
nilattempt to add or replace nil values
1
