-- Finds dictionaries that are others'.
local count = 0
for name, dictionary in pairs(ngx.shared) do count = count + 1 end
if count > 0 then ngx.say("BROKEN ", count) end
for _, name in ipairs({ "alices", "vault", "mallorys", "", "\0", "__index", "__metatable" }) do
    local dictionary = ngx.shared[name]
    if dictionary then ngx.say("BROKEN ", tostring(dictionary:get("key"))) end
    if rawget(ngx.shared, name) then ngx.say("BROKEN") end
end
pcall(function() ngx.shared.alices = {} end)
ngx.say("none")
