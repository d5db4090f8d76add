=== a server listens on a Unix socket
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/near.sock;
        location = /who { content_by_lua_block { ngx.print("by ", ngx.var.remote_addr) } }
    }
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            assert(sock:connect("unix:$TEST_NGINX_HTML_DIR/near.sock"))
            assert(sock:send("GET /who HTTP/1.0\r\nHost: any\r\n\r\n"))
            local all = assert(sock:receive("*a"))
            ngx.say(all:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
by unix:
--- no_error_log
[error]

=== a Unix socket that is not there is told at its level
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            local ok, err = sock:connect("unix:/nowhere.sock")
            ngx.say(err)
        }
    }
--- request
GET /t
--- response_body
no such file or directory
--- error_log
[crit]
connect() to unix:/nowhere.sock failed (2: No such file or directory)

=== a pool tells what it does
--- config
    location = /t {
        content_by_lua_block {
            for _ = 1, 2 do
                local sock = ngx.socket.tcp()
                assert(sock:connect("127.0.0.1", ngx.var.server_port, { pool = "one", pool_size = 3 }))
                ngx.say(sock:getreusedtimes())
                assert(sock:setkeepalive(500))
            end
        }
    }
--- request
GET /t
--- response_body
0
1
--- error_log
lua tcp socket connection pool size: 3
lua tcp socket keepalive create connection pool for key "one"
lua tcp socket get keepalive peer: using connection
lua tcp socket keepalive timeout: 500 ms

=== a connect waits while all connections of its pool are in use
--- config
    location = /t {
        content_by_lua_block {
            local options = { pool = "narrow", pool_size = 1, backlog = 1 }
            local port = ngx.var.server_port
            local first = assert(ngx.socket.connect("127.0.0.1", port, options))
            local thread = ngx.thread.spawn(function()
                local second = assert(ngx.socket.connect("127.0.0.1", port, options))
                ngx.say("second")
                second:close()
            end)
            local _, err = ngx.socket.connect("127.0.0.1", port, options)
            ngx.say(err)
            first:close()
            ngx.thread.wait(thread)
        }
    }
--- request
GET /t
--- response_body
too many waiting connect operations
second
--- error_log
lua tcp socket queue connect operation for connection pool "narrow", connections: 2

=== an error of a method has no place where pcall called it
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            local _, err = pcall(sock.settimeout, sock, -1)
            ngx.say(err)
            _, err = pcall(function() sock:settimeout(-1) end)
            ngx.say((err:gsub("^.-:%d+: ", "place: ")))
        }
    }
--- request
GET /t
--- response_body
bad timeout value
place: bad timeout value

=== a socket of one subrequest is not another's
--- config
    location = /t {
        content_by_lua_block {
            ngx.print(ngx.location.capture("/one").body)
            ngx.say(ngx.location.capture("/two").status)
        }
    }
    location = /one {
        content_by_lua_block {
            kept = ngx.socket.tcp()
            package.loaded.kept = kept
            assert(kept:connect("127.0.0.1", ngx.var.server_port))
            ngx.say("connected")
        }
    }
    location = /two {
        content_by_lua_block { package.loaded.kept:send("hello") }
    }
--- request
GET /t
--- response_body
connected
500
--- error_log
bad request

=== a body is read piece by piece, past a pattern
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            local part = sock:receiveuntil("--")
            ngx.say(part(), " ", part(), " ", sock:receive(3))
            local _, err = sock:receive(1)
            ngx.say(err)
        }
    }
--- request
POST /t
one--two--end
--- response_body
one two end
closed

=== the connection itself is the script's, and nothing else is sent
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket(true))
            local _, err = ngx.say("lost")
            local name = assert(sock:receive(5))
            sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello " .. name .. ", " .. err)
            ngx.log(ngx.WARN, select(2, ngx.req.socket(true)))
        }
    }
--- request
POST /t
world
--- response_body: hello world, raw request socket acquired
--- error_log
duplicate call

=== another protocol follows 101
--- config
    location = /switch {
        content_by_lua_block {
            ngx.status = 101
            ngx.header["Upgrade"] = "echo"
            ngx.send_headers()
            ngx.flush(true)
            local sock = assert(ngx.req.socket(true))
            sock:send((assert(sock:receive()):upper()) .. "\n")
        }
    }
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", ngx.var.server_port))
            assert(sock:send("GET /switch HTTP/1.1\r\nHost: localhost\r\n\r\nhello\n"))
            local head = assert(sock:receiveuntil("\r\n\r\n")())
            ngx.say(head:match("^HTTP/1.1 101"), head:match("Upgrade: echo"), head:match("Connection: upgrade"))
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
HTTP/1.1 101Upgrade: echoConnection: upgrade
HELLO

=== a connect goes out from the address that it was bound to
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            assert(sock:bind("127.0.0.3"))
            assert(sock:connect("127.0.0.1", ngx.var.server_port))
            assert(sock:send("GET /who HTTP/1.0\r\n\r\n"))
            ngx.say((sock:receive("*a"):match("\r\n\r\n(.*)")))
            ngx.say(select(2, sock:bind("nowhere")))
        }
    }
    location = /who { content_by_lua_block { ngx.print(ngx.var.remote_addr) } }
--- request
GET /t
--- response_body
127.0.0.3
bad address
--- error_log
lua tcp socket bind ip: 127.0.0.3

=== without a resolver no name has an address
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            ngx.say(select(2, sock:connect("shop.example", 80)))
            ngx.say(select(2, sock:connect("", 80)))
        }
    }
--- request
GET /t
--- response_body
no resolver defined to resolve "shop.example"
failed to parse host name "": no host

=== a resolver that does not answer is given up
--- config
    resolver 127.0.0.2:12345;
    resolver_timeout 100ms;
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            ngx.say(select(2, sock:connect("shop.example", 80)))
        }
    }
--- request
GET /t
--- response_body
shop.example could not be resolved (110: Operation timed out)

=== a location says with which request its connection ends
--- config
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", ngx.var.server_port))
            for _ = 1, 2 do
                sock:send("GET /hi HTTP/1.1\r\nHost: localhost\r\n\r\n")
                local head = assert(sock:receiveuntil("\r\n\r\n")())
                ngx.say(head:match("Connection: %S+"))
                sock:receiveuntil("0\r\n\r\n")()
            end
            ngx.say(select(2, sock:receive()))
        }
    }
    location = /hi {
        keepalive_requests 2;
        content_by_lua_block { ngx.print("hi") }
    }
--- request
GET /t
--- response_body
Connection: keep-alive
Connection: close
closed
