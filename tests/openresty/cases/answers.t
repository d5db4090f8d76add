=== a filter of the body sees what was said piece by piece, and the end on its own
--- config
    location /t {
        content_by_lua_block { ngx.print("one ") ngx.print("two") }
        body_filter_by_lua_block { ngx.arg[1] = "<" .. ngx.arg[1] .. (ngx.arg[2] and "!>" or ">") }
    }
--- request
GET /t
--- response_body chomp
<one ><two><!>

=== a filter that ends the body early ends it for the client
--- config
    location /t {
        content_by_lua_block { ngx.say("kept") ngx.say("dropped") }
        body_filter_by_lua_block { ngx.arg[2] = true }
    }
--- request
GET /t
--- response_body
kept

=== a filter of the head runs when something is first said
--- config
    location /t {
        set $seen 'not yet';
        content_by_lua_block { ngx.send_headers() ngx.say(ngx.var.seen) }
        header_filter_by_lua_block { ngx.var.seen = "seen" }
    }
--- request
GET /t
--- response_body
seen

=== a filter of the head that fails ends the connection without an answer
--- config
    location /t {
        content_by_lua_block { ngx.header.a = "b" }
        header_filter_by_lua_block { ngx.header.content_length = "many" }
    }
--- request
GET /t
--- ignore_response
--- error_log
failed to run header_filter_by_lua*: header_filter_by_lua(nginx.conf:

=== fields that say how an answer is sent are told to filters
--- config
    location /t {
        content_by_lua_block { ngx.say("hi") }
        body_filter_by_lua_block {
            local sent = ngx.resp.get_headers()
            print("sent: ", sent.connection, " ", sent.transfer_encoding, " ", ngx.var.sent_http_connection)
        }
    }
--- request
GET /t
--- response_body
hi
--- error_log
sent: close chunked close

=== a length that a script says and does not keep ends the connection
--- config
    location /t {
        content_by_lua_block { ngx.header.content_length = 4 ngx.print("four and more") }
    }
--- request
GET /t
--- response_headers
Content-Length: 4
--- response_body chomp
four

=== an answer that is only a status has no page
--- config
    location /t { content_by_lua_block { ngx.status = 302 ngx.header.location = "http://a.example/" } }
--- request
GET /t
--- error_code: 302
--- response_headers
Location: http://a.example/
--- response_body

=== a type that a script takes away stays away
--- config
    location /t { content_by_lua_block { ngx.header.content_type = nil ngx.say("plain") } }
--- request
GET /t
--- response_headers
!Content-Type
--- response_body
plain

=== names of fields keep their underscores where the settings say so
--- config
    lua_transform_underscores_in_response_headers off;
    location /t { content_by_lua_block { ngx.header.foo_bar = "1" ngx.say(ngx.header["foo-bar"]) } }
--- request
GET /t
--- raw_response_headers_like: foo_bar: 1
--- response_body
nil

=== an answer to a client that wanted it unchanged is refused when something is first said
--- config
    location /t {
        content_by_lua_block {
            ngx.header.last_modified = "Thu, 10 May 2012 07:50:48 GMT"
            local ok, err = ngx.say("hello")
            ngx.log(ngx.WARN, "said: ", ok, " ", err)
        }
    }
--- request
GET /t
--- more_headers
If-Unmodified-Since: Thu, 10 May 2012 07:50:47 GMT
--- error_code: 412
--- response_body_like: 412 Precondition Failed
--- error_log
said: nil nginx output filter error
