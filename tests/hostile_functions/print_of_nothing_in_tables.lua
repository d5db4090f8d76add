-- A table that holds nothing, two to the power of thirty times.
local t = {}
for _ = 1, 30 do t = { t, t } end
ngx.print(t)
