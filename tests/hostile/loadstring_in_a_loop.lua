local s = ("x=x+1 "):rep(5000) while true do loadstring(s) end
