-- Times of every kind and format.
for _, format in ipairs({ "*t", "!*t", "%", "%E", "%c%x%X%p%", ("%Y"):rep(10000), "\0%Y", "%5Y", "%-%" }) do
    for _, time in ipairs({ 0, -1, 1e18, -1e18, 0 / 0, 1 / 0, 2 ^ 63 }) do pcall(os.date, format, time) end
end
for _, year in ipairs({ 1e9, -1e9, 0 / 0, 2 ^ 63 }) do pcall(os.time, { year = year, month = year, day = year, hour = year }) end
pcall(ngx.cookie_time, 1e300) pcall(ngx.http_time, -1e300) pcall(ngx.parse_http_time, ("x"):rep(1000000))
ngx.say(type(os.time()))
