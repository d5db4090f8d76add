=== a file answers with its type
--- config
    location /f/ { alias $TEST_NGINX_HTML_DIR/; }
--- user_files
>>> a.html
<p>hello</p>
--- request
GET /f/a.html
--- response_headers
Content-Type: text/html
--- response_body
<p>hello</p>

=== a folder is answered by its index
--- config
--- request
GET /
--- response_body_like: It works

=== a file that is not there is told with its path
--- config
    location /f { root html; }
--- request
GET /f/none
--- error_code: 404
--- response_body_like: 404 Not Found
--- error_log eval
qr/open\(\) ".*html\/f\/none" failed \(2: No such file or directory\)/

=== a file that the client has already is not sent again
--- config
--- user_files
>>> a.txt 201001010000
old
--- request
GET /a.txt
--- more_headers
If-None-Match: *
--- error_code: 304

=== files are tried in turn
--- config
    location /t { try_files $uri /a.txt =404; }
--- user_files
>>> a.txt
found
--- request
GET /t
--- response_body
found

=== an upstream gets the path with its beginning replaced
--- config
    location /api/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/v1/; }
    location /v1/ { content_by_lua_block { ngx.say(ngx.var.request_uri, " ", ngx.var.host) } }
--- request
GET /api/x?y=z
--- response_body
/v1/x?y=z 127.0.0.1

=== an upstream gets the fields that are set for it
--- config
    location /t {
        proxy_set_header X-Who $arg_who;
        proxy_set_header Host other.example;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/u;
    }
    location /u { content_by_lua_block { ngx.say(ngx.var.http_x_who) } }
--- request
GET /t?who=me
--- response_body
me

=== an upstream may be computed
--- config
    location /t {
        set $port $TEST_NGINX_SERVER_PORT;
        proxy_pass http://127.0.0.1:$port/u?a=$arg_a;
    }
    location /u { content_by_lua_block { ngx.say(ngx.var.args) } }
--- request
GET /t?a=b
--- response_body
a=b

=== a declared upstream has peers
--- http_config
    upstream back { server 127.0.0.1:$TEST_NGINX_SERVER_PORT; }
--- config
    location /t { proxy_pass http://back/u; }
    location /u { content_by_lua_block { ngx.say(ngx.var.http_host) } }
--- request
GET /t
--- response_body
back

=== echo says its words and variables
--- config
    location /t { echo hello $arg_a; echo -n bye; }
--- request
GET /t?a=you
--- response_body chomp
hello you
bye

=== scripts in files are found from the prefix
--- config
    location /t { content_by_lua_file html/a.lua; }
--- user_files
>>> a.lua
ngx.say("from a file")
--- request
GET /t
--- response_body
from a file

=== a script's path may have variables
--- config
    location ~ ^/run/(\w+)$ { content_by_lua_file html/$1.lua; }
--- user_files
>>> b.lua
ngx.say("b runs")
--- request
GET /run/b
--- response_body
b runs

=== modules are found by the package path
--- http_config
    lua_package_path "$TEST_NGINX_HTML_DIR/?.lua;;";
--- config
    location /t { content_by_lua_block { ngx.say(require("greeting").words) } }
--- user_files
>>> greeting.lua
return { words = "from a module" }
--- request
GET /t
--- response_body
from a module

=== a client that pauses while it sends a body is given up
--- config
    location /t {
        client_body_timeout 100ms;
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say("never")
        }
    }
--- request
POST /t
--- more_headers
Content-Length: 10
--- error_code: 408
