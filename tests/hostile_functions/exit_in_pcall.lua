-- Leaves ten thousand times, each time caught.
for number = 1, 10000 do
    pcall(ngx.exit, 200 + number % 300)
    pcall(ngx.redirect, "/somewhere")
    xpcall(ngx.exit, function() ngx.exit(503) end, 403)
end
while true do pcall(ngx.exit, 200) end
