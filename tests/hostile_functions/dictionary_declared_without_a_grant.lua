-- Asks for a dictionary that is another's.
return {
    declares = { dictionaries = { "vault", "alices" } },
    content = function()
        if ngx.shared.vault then ngx.say("BROKEN ", tostring(ngx.shared.vault:get("key"))) end
        if ngx.shared.alices then ngx.shared.alices:flush_all() end
        ngx.say("none")
    end,
}
