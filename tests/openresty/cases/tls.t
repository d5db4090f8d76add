=== what a script of a handshake keeps its requests find
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_client_hello_by_lua_block { ngx.ctx.told = "hello" }
        ssl_certificate_by_lua_block { ngx.sleep(0.01) ngx.ctx.told = ngx.ctx.told .. " " .. ngx.get_phase() }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
in: hello ssl_certificate
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== a script ends a handshake
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_certificate_by_lua_block { ngx.exit(ngx.ERROR) ngx.log(ngx.ERR, "never") }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
handshake: handshake failed
--- error_log
SSL_do_handshake() failed
cert cb error
--- no_error_log
never
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== a script that fails ends a handshake, and the log tells why
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_client_hello_by_lua_block { error("no luck") }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
handshake: handshake failed
--- error_log
ssl_client_hello_by_lua(nginx.conf:
no luck
context: ssl_client_hello_by_lua*, client: unix:, server: unix:
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== what needs a request is not there in a handshake
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_certificate_by_lua_block { local ok, err = pcall(ngx.say, "x") ngx.ctx.told = err }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
in: API disabled in the context of ssl_certificate_by_lua*
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== a certificate is chosen by a script
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_certificate_by_lua_block {
            local ssl = require "ngx.ssl"
            local function read(name)
                local file = assert(io.open("$TEST_NGINX_HTML_DIR/" .. name))
                local text = file:read("*a") file:close() return text
            end
            assert(ssl.clear_certs())
            assert(ssl.set_cert(assert(ssl.parse_pem_cert(read("shop.pem")))))
            assert(ssl.set_priv_key(assert(ssl.parse_pem_priv_key(read("shop.key")))))
            local address, kind = ssl.raw_client_addr()
            ngx.ctx.told = ssl.server_name() .. " " .. ssl.get_tls1_version_str() .. " " .. kind
        }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
in: shop.example TLSv1.3 unix
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== a handshake for which no certificate is left fails
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_certificate_by_lua_block { assert(require("ngx.ssl").clear_certs()) }
        location /in { content_by_lua_block { ngx.say("in: ", ngx.ctx.told) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
handshake: handshake failed
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== the version is chosen by a script, and told by variables
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/tls.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        ssl_client_hello_by_lua_block {
            local hello = require "ngx.ssl.clienthello"
            assert(hello.get_client_hello_server_name() == "shop.example")
            assert(hello.get_client_hello_ext(43) and not hello.get_client_hello_ext(0x4444))
            local ok, err = hello.set_protocols({ "TLSv9" })
            assert(not ok and err == "invalid protocols failed")
            assert(hello.set_protocols({ "TLSv1.1", "TLSv1.2" }))
        }
        location /in { content_by_lua_block { local v = ngx.var ngx.say(v.ssl_protocol, " ", v.scheme, " ", v.https, " ", v.ssl_server_name, " ", v.ssl_client_verify, " ", v.ssl_session_reused) } }
    }
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /t {
        content_by_lua_block {
            local s = ngx.socket.tcp()
            s:settimeout(5000)
            assert(s:connect("unix:$TEST_NGINX_HTML_DIR/tls.sock"))
            local ok, err = s:sslhandshake(nil, "shop.example", true)
            if not ok then return ngx.say("handshake: ", err) end
            s:send("GET /in HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            local answer = s:receive("*a")
            ngx.print(answer:match("\r\n\r\n(.*)"))
        }
    }
--- request
GET /t
--- response_body
TLSv1.2 https on shop.example NONE .
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----


=== an upstream is spoken to in TLS: its name, its authority, its error page
--- http_config
    upstream shop.example { server unix:$TEST_NGINX_HTML_DIR/shop.sock; keepalive 4; }
    server {
        listen unix:$TEST_NGINX_HTML_DIR/shop.sock ssl;
        server_name shop.example;
        ssl_certificate $TEST_NGINX_HTML_DIR/shop.pem;
        ssl_certificate_key $TEST_NGINX_HTML_DIR/shop.key;
        location / { content_by_lua_block { ngx.say(ngx.var.scheme, " ", ngx.var.ssl_server_name, " ", ngx.var.host, " ", ngx.var.uri) } }
    }
--- config
    proxy_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/shop.pem;
    location /plainly { proxy_pass https://shop.example/in; }
    location /named { proxy_ssl_server_name on; proxy_ssl_verify on; proxy_pass https://shop.example/in; }
    location /other { proxy_ssl_name blog.example; proxy_ssl_verify on; proxy_pass https://shop.example/in; }
    location /t {
        content_by_lua_block {
            for _, path in ipairs { "/plainly", "/named", "/other" } do
                local answer = ngx.location.capture(path)
                ngx.say(path, " ", answer.status, " ", answer.status == 200 and answer.body:gsub("%s+$", "") or "")
            end
        }
    }
--- request
GET /t
--- response_body
/plainly 200 https nil shop.example /in
/named 200 https shop.example shop.example /in
/other 502 
--- error_log
upstream SSL certificate does not match "blog.example" while SSL handshaking to upstream
--- user_files
>>> shop.pem
-----BEGIN CERTIFICATE-----
MIIBnzCCAUSgAwIBAgIUI76dRM4KWa3bYbJC6my10qtIlF0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMzA5MDIyN1oYDzIxMjYx
MDMwMDkwMjI3WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd8enbi9FODO4vhtxG
WwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1lo2wwajAdBgNVHQ4EFgQU6A5+
gIwI/yIKtrE39uT+pfRq27QwHwYDVR0jBBgwFoAU6A5+gIwI/yIKtrE39uT+pfRq
27QwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSQAwRgIhANT3fUZLUTW5gk9WpU2p6IR3M4l+gnIVK3lDZp3mzTVH
AiEAtl3zrLNP5q6KI1aZm0VKcFGhvXGeqMt0IJPUZIGDB+k=
-----END CERTIFICATE-----
>>> shop.key
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgClJfy/XcfAXSQC8e
XxC6Qlqp1o2WjLavmLhW9YRXeDehRANCAAT9kRMTl6H33wcYVRalbFSVXcGnHIWd
8enbi9FODO4vhtxGWwZsRqyfGGIRmIUuPsi7237YwMlB5TuSM1emLz1l
-----END PRIVATE KEY-----
