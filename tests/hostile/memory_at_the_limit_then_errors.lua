local t = {} pcall(function() while true do t[#t + 1] = ("x"):rep(1e5) .. #t end end)
while true do pcall(error, {}) pcall(string.rep, "y", 100) pcall(coroutine.wrap(function() end)) end
