-- Waits for what nobody posts, in many threads.
local sema = require("ngx.semaphore").new(0)
for _ = 1, 900 do ngx.thread.spawn(function() sema:wait(1e6) end) end
pcall(sema.post, sema, 2 ^ 31)
pcall(sema.post, sema, -1)
sema:post(2 ^ 31 - 1) sema:post(2 ^ 31 - 1)
while true do sema:wait(1e6) end
