-- Poisons the metatables that the API hands out, for the calls and owners to come.
local function spoil(object)
    local meta = getmetatable(object)
    if type(meta) == "table" then
        pcall(function() meta.__index = function() return "BROKEN" end end)
        pcall(rawset, meta, "__newindex", function() end)
    end
end
spoil(ngx) spoil(ngx.var) spoil(ngx.header) spoil(ngx.req.get_headers()) spoil(ngx.socket.tcp()) spoil(_G)
spoil(ngx.shared) spoil(waf.ip_set { items = { "127.0.0.1" } })
ngx.say(tostring(ngx.req.get_headers().host), " ", tostring(ngx.req.get_headers().nothing))
