local t = {} for i = 1, 5e5 do t[i] = i end while true do table.sort(t, rawequal) end
