=== the longest match is found, without groups
--- config
    location /t {
        content_by_lua_block {
            local m = ngx.re.match("hello", "(he|hell)", "d")
            ngx.say(m[0], " ", m[1])
            ngx.say(ngx.re.gsub("1234", "[0-9]|[0-9][0-9]", "x", "d"))
        }
    }
--- request
GET /t
--- response_body
hell nil
xx2

=== a faulty replacement is told
--- config
    location /t {
        content_by_lua_block {
            for _, text in ipairs { "[$name]", "[${12]", "[$" } do
                ngx.say((select(3, ngx.re.sub("abc", "b", text))))
            end
        }
    }
--- request
GET /t
--- response_body
failed to compile the replacement template
failed to compile the replacement template
failed to compile the replacement template
--- error_log
attempt to use named capturing variable "name" (named captures not supported yet)
the closing bracket in "12" variable is missing
lua script: invalid capturing variable name found in "[$"

=== a search goes on where the last one ended
--- config
    location /t {
        content_by_lua_block {
            local place = { pos = 3 }
            ngx.say(ngx.re.find("1234, hello", [[(\G[0-9]+)]], "", place))
            ngx.say(place.pos)
            ngx.say(ngx.re.find("x", "y", "", place), " ", place.pos)
        }
    }
--- request
GET /t
--- response_body
34
5
nil 5

=== a regex takes no more steps than it may
--- http_config
    lua_regex_match_limit 10;
--- config
    location /t {
        content_by_lua_block {
            ngx.say(select(2, ngx.re.match(("a"):rep(30), [[(a+)+\1b]])))
        }
    }
--- request
GET /t
--- response_body
pcre_exec() failed: -8
