--- Says hello.
--- phase: content   budget: 5 µs typical, 1 ms at most

local name = ngx.var.arg_name
-- What a client sends goes back only in letters that no page takes for markup.
if not name or #name > 64 or not string.match(name, "^[%w _-]+$") then
  name = "world"
end

ngx.header["Content-Type"] = "text/plain; charset=utf-8"
ngx.say("hello, ", name)
