local t = {} for i = 1, 1e6 do t[i] = "xxxxxxxxxxxxxxxx" end while true do pcall(table.concat, t, ",") end
