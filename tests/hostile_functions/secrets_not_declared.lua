-- Asks for secrets by every name.
for _, name in ipairs({ "vault", "", "\0", "../token", "HOME", "PATH", "@FILE@" }) do
    local got, value = pcall(function() return waf["secret"](name) end)
    if got and value then ngx.say("BROKEN ", name, " ", tostring(value)) end
end
ngx.say("none")
