kept = coroutine.running() while true do pcall(coroutine.resume, kept) pcall(coroutine.close, kept) end
