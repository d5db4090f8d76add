-- Names that are not what they look like.
_G["pri\0nt"] = 1
_G["ｎｇｘ"] = ngx
local env = { ["\u{202e}"] = 1, ["a\0b"] = 2, ["\255\254"] = 3, [("x"):rep(100000)] = 4 }
for name, value in pairs(env) do
    ngx.ctx[name] = value
    pcall(function() ngx.var[name] = value end)
    pcall(function() ngx.header[name] = value end)
    pcall(function() ngx.shared[name] = value end)
    pcall(ngx.req.set_header, name, name)
    ngx.log(ngx.ERR, name)
end
ngx.say("done")
