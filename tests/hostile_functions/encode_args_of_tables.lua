-- A table of tables that are one table, and say nothing.
local none, all = {}, {}
for number = 1, 100000 do none[number] = false end
for number = 1, 10000 do all["k" .. number] = none end
ngx.encode_args(all)
ngx.say("done")
