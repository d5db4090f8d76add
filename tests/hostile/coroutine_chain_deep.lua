local function f(n) local co = coroutine.create(f) coroutine.yield(coroutine.resume(co, n + 1)) end
while true do coroutine.wrap(f)(1) end
