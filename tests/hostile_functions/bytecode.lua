-- Loads what Luau would run unverified.
local loader = _G["load" .. "string"] or _G["lo" .. "ad"]
if loader then
    for version = 0, 12 do
        local made, why = loader("\27Lua" .. string.char(version, 1, 0, 1, 0) .. ("\255"):rep(200))
        if made then ngx.say("BROKEN", pcall(made)) end
        made = loader(string.char(version) .. ("\3"):rep(100))
        if made then pcall(made) end
    end
end
ngx.say(tostring(loader))
