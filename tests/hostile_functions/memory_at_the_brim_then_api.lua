-- Asks the API for more where there is nothing left.
local all = {}
pcall(function() while true do all[#all + 1] = ("x"):rep(5000) .. #all end end)
for _ = 1, 100 do
    pcall(ngx.req.get_headers) pcall(ngx.say, "x") pcall(ngx.log, ngx.ERR, "x") pcall(ngx.re.match, "a", "a")
    pcall(require, "cjson") pcall(ngx.socket.tcp) pcall(coroutine.create, print) pcall(ngx.var.uri)
end
