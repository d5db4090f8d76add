-- Makes threads that wait for ever, or never wait.
-- calls: 4
for n = 1, 1000000 do
    pcall(ngx.thread.spawn, function()
        if n % 2 == 0 then ngx.sleep(1000) end
        while true do coroutine.yield() end
    end)
end
