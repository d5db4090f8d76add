-- Encodes what holds itself, and what doubles.
local json = require("cjson.safe")
local own = {}
own.own, own[1] = own, own
json.encode(own)
local t = {}
for _ = 1, 40 do t = { t, t } end
json.encode(t)
waf.json_edit('{"a":1}', { set = { a = t } })
ngx.say("done")
