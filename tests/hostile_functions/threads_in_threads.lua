-- Threads that make threads that make threads.
local function more() ngx.thread.spawn(more) ngx.thread.spawn(more) ngx.sleep(0) end
more()
