-- A body of kilobytes that is gigabytes.
local bomb = waf.encode_body(("\0"):rep(4000000), "gzip")
local twice = waf.encode_body(bomb:rep(50), "gzip")
ngx.say(#tostring(waf.decode_body(bomb:rep(50), "gzip", 1e10)))
ngx.say(#tostring(waf.decode_body(twice, "gzip, gzip", 1e10)))
