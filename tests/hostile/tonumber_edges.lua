local s = ("9"):rep(4e6) while true do tonumber(s) tonumber(s, 36) tonumber("0x" .. s) tonumber(s .. "e" .. s) end
