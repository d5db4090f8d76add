-- An answer without end.
while true do ngx.print(("x"):rep(10000)) end
