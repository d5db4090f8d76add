local t = {} for i = 1, 100 do t[i] = i end
table.sort(t, function(a, b) table.clear(t) t[#t + 1] = {} return true end) table.sort(t)
while true do pcall(table.sort, t, function() error({}) end) end
