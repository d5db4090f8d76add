local co = coroutine.wrap(function() table.sort({3, 2, 1}, function() coroutine.yield() return true end) end)
while true do pcall(co) end
