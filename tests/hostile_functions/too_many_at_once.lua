-- More calls at once than may.
-- calls: 12
return {
    declares = { limits = { concurrent = 2, wait = "500ms" } },
    content = function() ngx.sleep(0.2) ngx.say("waited") end,
}
