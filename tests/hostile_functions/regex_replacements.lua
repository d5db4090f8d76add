-- A replacement that grows.
local text = ("x"):rep(100000)
for _ = 1, 20 do pcall(ngx.re.gsub, text, "x", ("$0"):rep(1000), "jo") end
pcall(ngx.re.gsub, text, "", text)
ngx.say("done")
