local t = setmetatable({}, { __index = coroutine.wrap(function() while true do coroutine.yield(1) end end) })
while true do local _ = t.x end
