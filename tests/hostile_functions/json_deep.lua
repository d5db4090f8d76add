-- JSON of great depth.
local json = require("cjson.safe")
for _, text in ipairs({ ("["):rep(500000), ('{"a":'):rep(200000), ("[1,"):rep(200000) .. ("]"):rep(200000), ('"'):rep(300001), "1e" .. ("9"):rep(100000), ("9"):rep(1000000) }) do
    json.decode(text)
end
local deep = {}
for _ = 1, 100000 do deep = { deep } end
json.encode(deep)
ngx.say("done")
