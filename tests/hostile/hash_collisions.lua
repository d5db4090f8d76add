local t = {} for i = 1, 1e9 do t[i * 2^32] = i end
