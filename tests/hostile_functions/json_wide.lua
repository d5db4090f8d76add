-- JSON whose values are far larger in memory than as text.
local json = require("cjson.safe")
json.decode("[" .. ("{},"):rep(1000000) .. "1]")
ngx.say("done")
