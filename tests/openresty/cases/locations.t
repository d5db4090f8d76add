=== an exact path comes before all others
--- config
    location /a { content_by_lua_block { ngx.say("prefix") } }
    location ~ ^/a { content_by_lua_block { ngx.say("pattern") } }
    location = /a { content_by_lua_block { ngx.say("exact") } }
--- request
GET /a
--- response_body
exact

=== the longest prefix is taken, whatever the order
--- config
    location /a { content_by_lua_block { ngx.say("a") } }
    location /a/b/c { content_by_lua_block { ngx.say("c") } }
    location /a/b { content_by_lua_block { ngx.say("b") } }
--- request
GET /a/b/d
--- response_body
b

=== a pattern comes before a prefix
--- config
    location /img/ { content_by_lua_block { ngx.say("prefix") } }
    location ~ \.png$ { content_by_lua_block { ngx.say("pattern") } }
--- request
GET /img/a.png
--- response_body
pattern

=== the first pattern written is taken
--- config
    location ~ ^/x { content_by_lua_block { ngx.say("first") } }
    location ~ ^/xy { content_by_lua_block { ngx.say("second") } }
--- request
GET /xyz
--- response_body
first

=== a prefix can keep patterns out
--- config
    location ^~ /img/ { content_by_lua_block { ngx.say("prefix") } }
    location ~ \.png$ { content_by_lua_block { ngx.say("pattern") } }
--- request
GET /img/a.png
--- response_body
prefix

=== a pattern may take either case
--- config
    location ~* \.PNG$ { content_by_lua_block { ngx.say("either") } }
--- request
GET /a.png
--- response_body
either

=== a location inside of another is asked only there
--- config
    location /a {
        location ~ \.txt$ { content_by_lua_block { ngx.say("inside") } }
        content_by_lua_block { ngx.say("outside") }
    }
--- request eval
["GET /a/b.txt", "GET /a/b"]
--- response_body eval
["inside\n", "outside\n"]

=== what a pattern's groups found has numbers and names
--- config
    location ~ ^/u/(\d+)/(?<what>\w+)$ {
        content_by_lua_block { ngx.say(ngx.var[1], " ", ngx.var.what) }
    }
--- request
GET /u/7/edit
--- response_body
7 edit

=== clients do not reach internal locations
--- config
    location /in { internal; content_by_lua_block { ngx.say("secret") } }
--- request
GET /in
--- error_code: 404

=== a script reaches internal locations
--- config
    location /in { internal; content_by_lua_block { ngx.say("inner") } }
    location /out { content_by_lua_block { ngx.exec("/in") } }
--- request
GET /out
--- response_body
inner

=== a named location is reached by its name alone
--- config
    location @back { content_by_lua_block { ngx.say("back of ", ngx.var.uri) } }
    location /out { content_by_lua_block { ngx.exec("@back") } }
--- request
GET /out
--- response_body
back of /out

=== the server of a host is taken, else the first
--- http_config
    server { listen $TEST_NGINX_SERVER_PORT; server_name a.example; location / { return 200 "a"; } }
    server { listen $TEST_NGINX_SERVER_PORT; server_name *.b.example; location / { return 200 "b"; } }
--- config
    location /t { return 200 "here"; }
--- request
GET /t
--- more_headers
Host: x.b.example
--- response_body chomp
b

=== a folder without its slash is sent to the folder
--- config
    location /d/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/t/; }
    location /t/ { return 200 "there"; }
--- request
GET /d?x=1
--- error_code: 301
--- response_headers_like
Location: http://localhost:\d+/d/\?x=1
