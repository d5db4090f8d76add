for i = 0, 255 do local f = loadstring(string.char(i) .. ("\0\1\2\3"):rep(20)) if f then pcall(f) end end
while true do end
