=== a global lasts from one request to the next, and is told once
--- config
    location /t {
        content_by_lua_block {
            hits = (hits or 0) + 1
            ngx.say(hits > 0 and _G.hits == hits)
        }
    }
--- request
GET /t
--- response_body
true
--- error_log
[warn]
writing a global Lua variable ('hits')
: in main chunk

=== files are written and read
--- config
    location /t {
        content_by_lua_block {
            local path = "$TEST_NGINX_HTML_DIR/notes.txt"
            local file = assert(io.open(path, "w"))
            file:write("one\n", 2, "\nthree")
            file:close()
            for line in io.lines(path) do ngx.say(line) end
            file = io.open(path)
            ngx.say(file:read("*l", "*n", "*a") == "one", " ", file:seek("end"), " ", io.type(file))
            file:close()
            ngx.say(io.type(file), " ", os.remove(path), " ", select(2, io.open(path)) ~= nil)
        }
    }
--- request
GET /t
--- response_body
one
2
three
true 11 file
closed file true true

=== programs say something
--- config
    location /t {
        content_by_lua_block {
            local pipe = io.popen("echo hello; echo there")
            ngx.print(pipe:read("*a"))
            ngx.say(pipe:close(), " ", os.execute("exit 3") / 256)
        }
    }
--- request
GET /t
--- response_body
hello
there
true 3

=== what was nil is named
--- config
    location /t {
        content_by_lua_block {
            local t
            for _, work in ipairs { function() missing() end, function() return t.x end,
                    function() ngx.nothing() end, function() return 1 + t end } do
                local _, why = pcall(work)
                ngx.say(why:match("attempt.*"))
            end
        }
    }
--- request
GET /t
--- response_body
attempt to call global 'missing' (a nil value)
attempt to index upvalue 't' (a nil value)
attempt to call field 'nothing' (a nil value)
attempt to perform arithmetic on upvalue 't' (a nil value)

=== what does not compile is told in Lua's words
--- config
    location /t { content_by_lua_block { local a = ] } }
--- request
GET /t
--- error_code: 500
--- error_log
unexpected symbol near ']'

=== an unknown escape does not compile
--- config
    location /t { content_by_lua_block { ngx.say("\d") } }
--- request
GET /t
--- error_code: 500
--- error_log
invalid escape sequence near '"'

=== a jump to a loop's end goes on with the next turn
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 4 do
                if i % 2 == 0 then goto continue end
                ngx.say(i)
                ::continue::
            end
        }
    }
--- request
GET /t
--- response_body
1
3

=== libraries take what scripts add to them
--- http_config
    init_by_lua_block { function string.shout(text) return text:upper() .. "!" end  ngx.answer = 42 }
--- config
    location /t { content_by_lua_block { ngx.say(("hey"):shout(), " ", ngx.answer) } }
--- request
GET /t
--- response_body
HEY! 42

=== modules are found where package.path says
--- config
    location /t {
        content_by_lua_block {
            package.path = "$TEST_NGINX_HTML_DIR/more/?.lua;" .. package.path
            ngx.say(require("greeter").hello("moon"))
            ngx.say(require("ngx") == ngx, " ", require("ndk").set_var.set_escape_uri("a b"))
        }
    }
--- user_files
>>> more/greeter.lua
module(..., package.seeall)
function hello(name) return "hello, " .. name end
--- request
GET /t
--- response_body
hello, moon
true a%20b

=== a script is read anew where code is not kept
--- http_config
    lua_code_cache off;
--- config
    location /t {
        content_by_lua_block {
            seen = (seen or 0) + 1
            ngx.say(seen)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["1\n", "1\n"]

=== variables are set by the directives of set-misc
--- config
    location /t {
        set_unescape_uri $name $arg_name;
        set_md5 $sum $name;
        set_if_empty $other nobody;
        content_by_lua_block { ngx.say(ngx.var.name, " ", ngx.var.sum, " ", ngx.var.other) }
    }
--- request
GET /t?name=a%20b
--- response_body
a b 0cc9cd4dd26c5137b675a0d819cb9ab0 nobody


=== gsub with one class and plain text is gsub
--- config
    location /t {
        content_by_lua_block {
            ngx.say((" a  b\t\nc "):gsub("%s+", "-"))
            ngx.say(("a,b,,c"):gsub(",", "%%"))
            ngx.say(("a,b,,c"):gsub(",", "::", 2))
            ngx.say(("x1y22"):gsub("%d", ""))
            ngx.say(("same"):gsub("%D+", "all"), " ", (("same"):gsub("%d", "-")))
            ngx.say((12345 .. ""):gsub("3", "x"))
            ngx.say(pcall(string.gsub, "a", "%", "b") and "" or "refused")
            ngx.say(("a.b"):gsub(".", "-"))
            ngx.say(("a.b"):gsub("%.", "-"))
        }
    }
--- request
GET /t
--- response_body
-a-b-c-4
a%b%%c3
a::b::,c2
xy3
all same
12x451
refused
---3
a-b1
