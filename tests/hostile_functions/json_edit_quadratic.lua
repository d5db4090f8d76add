-- As many edits as fields.
local text, paths = {}, {}
for number = 1, 20000 do text[number] = '"a' .. number .. '":1' paths[number] = "b" .. number end
waf.json_edit("{" .. table.concat(text, ",") .. "}", { remove = paths, mask = paths })
ngx.say("done")
