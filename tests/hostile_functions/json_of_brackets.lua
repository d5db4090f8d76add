-- Has a text read of which a tree would be forty times as large.
-- calls: 4
local text = "[" .. ("[0],"):rep(900000) .. "[0]]"
return {
    declares = { limits = { cpu = "2s" } },
    content = function()
        local cjson = require("cjson.safe")
        for _ = 1, 4 do cjson.decode(text) end
        ngx.say("done")
    end,
}
