local co co = coroutine.create(function() pcall(coroutine.close, co) while true do end end)
while true do coroutine.resume(co) coroutine.close(co) co = coroutine.create(function() while true do end end) end
