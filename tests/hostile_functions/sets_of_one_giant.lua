-- A list whose entries are one text of megabytes.
local giant, all = ("x"):rep(3000000), {}
for number = 1, 10000 do all[number] = giant end
pcall(waf.ip_set, { items = all })
pcall(waf.key_set, { keys = all })
pcall(waf.user_list, { users = all })
pcall(waf.jwt_verifier, { secret = giant, algorithms = all })
pcall(waf.json_edit, '{"a":1}', { remove = all, mask = all, set = all })
ngx.say("done")
