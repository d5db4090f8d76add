=== variables are set in the order written
--- config
    location /t {
        set $a one;
        set $b "$a two";
        set $a three;
        content_by_lua_block { ngx.say(ngx.var.a, " ", ngx.var.b) }
    }
--- request
GET /t
--- response_body
three one two

=== scripts that set variables take their turn among the other steps
--- config
    location /t {
        set $a 1;
        set_by_lua_block $b { return ngx.var.a + 1 }
        set $a $b;
        set_by_lua $c 'return ngx.arg[1] .. ngx.arg[2]' $a $arg_x;
        content_by_lua_block { ngx.say(ngx.var.a, ngx.var.b, ngx.var.c) }
    }
--- request
GET /t?x=y
--- response_body
222y

=== a text is returned with its status
--- config
    default_type text/css;
    location /t { return 201 "made $arg_x"; }
--- request
GET /t?x=it
--- error_code: 201
--- response_headers
Content-Type: text/css
--- response_body chomp
made it

=== a redirect names scheme and host
--- config
    location /t { return 302 /there; }
--- request
GET /t
--- error_code: 302
--- response_headers_like
Location: http://localhost:\d+/there

=== a path is rewritten, and another location serves
--- config
    location /old { rewrite ^/old/(.*)$ /new/$1?from=old last; }
    location /new { content_by_lua_block { ngx.say(ngx.var.uri, " ", ngx.var.args) } }
--- request
GET /old/x?a=b
--- response_body
/new/x from=old&a=b

=== break keeps the location
--- config
    location /old {
        rewrite ^/old/(.*)$ /new/$1 break;
        content_by_lua_block { ngx.say("old ", ngx.var.uri) }
    }
    location /new { content_by_lua_block { ngx.say("new") } }
--- request
GET /old/x
--- response_body
old /new/x

=== rewriting in circles ends
--- config
    location /a { rewrite ^ /b last; }
    location /b { rewrite ^ /a last; }
--- request
GET /a
--- error_code: 500
--- error_log
rewrite or internal redirection cycle while processing

=== if runs its steps where its test holds
--- config
    location /t {
        set $found no;
        if ($arg_x = 1) { set $found one; }
        if ($arg_x ~ ^(\d)\d$) { set $found "two $1"; }
        content_by_lua_block { ngx.say(ngx.var.found) }
    }
--- request eval
["GET /t", "GET /t?x=1", "GET /t?x=42"]
--- response_body eval
["no\n", "one\n", "two 4\n"]

=== an if may answer by itself
--- config
    location /t {
        if ($request_method = POST) { return 405; }
        content_by_lua_block { ngx.say("ok") }
    }
--- request
POST /t
a
--- error_code: 405

=== an if may have a script of its own
--- config
    location /t {
        if ($arg_v) { content_by_lua_block { ngx.say("inner") } }
        content_by_lua_block { ngx.say("outer") }
    }
--- request eval
["GET /t?v=1", "GET /t"]
--- response_body eval
["inner\n", "outer\n"]

=== steps of a server come before a location is looked for
--- config
    rewrite ^/short$ /long;
    location /long { content_by_lua_block { ngx.say("long") } }
--- request
GET /short
--- response_body
long

=== rewrite scripts come after the steps
--- config
    location /t {
        set $a early;
        rewrite_by_lua_block { ngx.var.a = ngx.var.a .. " late" }
        content_by_lua_block { ngx.say(ngx.var.a) }
    }
--- request
GET /t
--- response_body
early late

=== a page answers instead of a status
--- config
    error_page 404 = /sorry;
    location /sorry { content_by_lua_block { ngx.say("sorry for ", ngx.var.request_uri) } }
    location /t { return 404; }
--- request
GET /t
--- response_body
sorry for /t

=== a page keeps the status unless it is told otherwise
--- config
    error_page 403 /sorry;
    location /sorry { content_by_lua_block { ngx.say("sorry") } }
    location /t { deny all; }
--- request
GET /t
--- error_code: 403
--- response_body
sorry
