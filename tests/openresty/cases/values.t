=== headers are read in any case
--- config
    location /t { content_by_lua_block { ngx.say(ngx.req.get_headers()["x-FOO"], " ", ngx.var.http_x_foo) } }
--- request
GET /t
--- more_headers
X-Foo: bar
--- response_body
bar bar

=== response headers may have several values
--- config
    location /t { content_by_lua_block { ngx.header["Set-Cookie"] = {"a=1", "b=2"} ngx.say("x") } }
--- request
GET /t
--- response_headers
Set-Cookie: a=1, b=2

=== headers of the settings come besides
--- config
    location /t {
        add_header X-One $arg_a;
        content_by_lua_block { ngx.say("x") }
    }
--- request
GET /t?a=b
--- response_headers
X-One: b

=== arguments are decoded, and several make a table
--- config
    location /t {
        content_by_lua_block {
            local args = ngx.req.get_uri_args()
            ngx.say(args.a, " ", table.concat(args.b, ","), " ", tostring(args.c))
        }
    }
--- request
GET /t?a=x%20y&b=1&b=2&c
--- response_body
x y 1,2 true

=== a form's arguments are read from the body
--- config
    location /t { content_by_lua_block { ngx.req.read_body() ngx.say(ngx.req.get_post_args().a) } }
--- request
POST /t
a=b&c=d
--- response_body
b

=== a variable that nobody declared cannot be written
--- config
    location /t { content_by_lua_block { ngx.var.nobody = 1 } }
--- request
GET /t
--- error_code: 500
--- error_log
variable "nobody" not found for writing

=== a variable that nobody declared is nil
--- config
    location /t { content_by_lua_block { ngx.say(tostring(ngx.var.nobody)) } }
--- request
GET /t
--- response_body
nil

=== patterns find groups by number and name
--- config
    location /t {
        content_by_lua_block {
            local m = ngx.re.match("hello 1234", "(?<word>\\w+) ([0-9]+)", "jo")
            ngx.say(m[0], "|", m.word, "|", m[2])
        }
    }
--- request
GET /t
--- response_body
hello 1234|hello|1234

=== patterns replace
--- config
    location /t { content_by_lua_block { ngx.say((ngx.re.gsub("a1b2", "\\d", "<$0>"))) } }
--- request
GET /t
--- response_body
a<1>b<2>

=== a shared dictionary keeps values for other requests
--- http_config
    lua_shared_dict seen 1m;
--- config
    location /t { content_by_lua_block { ngx.say((ngx.shared.seen:incr("n", 1, 0))) } }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["1\n", "2\n"]

=== an entry ends with its time
--- http_config
    lua_shared_dict seen 1m;
--- config
    location /t {
        content_by_lua_block {
            ngx.shared.seen:set("a", 1, 0.02)
            ngx.sleep(0.05)
            ngx.say(tostring(ngx.shared.seen:get("a")))
        }
    }
--- request
GET /t
--- response_body
nil

=== a timer runs later, with its arguments
--- config
    location /t {
        content_by_lua_block {
            ngx.timer.at(0.01, function(premature, word) ngx.log(ngx.WARN, "late ", word) end, "word")
            ngx.say("at once")
        }
    }
--- request
GET /t
--- response_body
at once
--- wait: 0.2
--- error_log
late word

=== a subrequest brings status, fields and body
--- config
    location /in { content_by_lua_block { ngx.header["X-In"] = "y" ngx.status = 201 ngx.print("body") } }
    location /t {
        content_by_lua_block {
            local res = ngx.location.capture("/in")
            ngx.say(res.status, " ", res.header["X-In"], " ", res.body)
        }
    }
--- request
GET /t
--- response_body
201 y body
