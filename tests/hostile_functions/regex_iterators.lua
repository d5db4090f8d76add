-- Iterators that each hold a copy of megabytes.
kept = {}
local text = ("x"):rep(2000000)
for number = 1, 1000 do kept[number] = ngx.re.gmatch(text, "x", "jo") end
ngx.say(#kept)
