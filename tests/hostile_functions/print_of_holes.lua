-- A table whose last entry is far away.
for _ = 1, 100 do ngx.print({ [8000000] = "x" }) end
