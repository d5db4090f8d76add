-- Variables of odd names and of megabytes.
local giant = ("x"):rep(3000000)
for number = 1, 100000 do pcall(function() ngx.var["v" .. number] = giant end) end
for _, name in ipairs({ "", "\0", "upstream", "remote_addr", "uri", "a b", ("x"):rep(100000), "\255", "__index", "args", "http_host" }) do
    pcall(function() ngx.var[name] = giant end)
    pcall(function() return ngx.var[name] end)
end
ngx.say("done")
