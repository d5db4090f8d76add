-- Statuses that are none, or mean something to who writes them.
for _, status in ipairs({ 0 / 0, 1 / 0, -1 / 0, -1, 1, 99, 100, 101, 103, 199, 204, 304, 599, 600, 999, 1000, 65536, 2 ^ 53, "200", "x", {}, true }) do
    pcall(function() ngx.status = status end)
end
ngx.status = 299
ngx.say("fine")
