-- A table whose values are one text of megabytes.
local giant, many, all = ("\255"):rep(3000000), {}, {}
for number = 1, 1000 do many[number] = giant end
for number = 1, 1000 do all["k" .. number] = many end
pcall(ngx.encode_args, all)
pcall(ngx.req.set_uri_args, all)
ngx.say("done")
