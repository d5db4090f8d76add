-- Line ends and NUL in names and values.
for _, evil in ipairs({ "a\r\nX-Broken: yes", "a\nX-Broken: yes", "a\rX", "a\0b", "\r\n\r\nbody", ":", " ", "", "\127", "\255\254", "X Y", "X:Y", ("x"):rep(70000) }) do
    pcall(function() ngx.header["X-Value"] = evil end)
    pcall(function() ngx.header[evil] = "yes" end)
    pcall(function() ngx.header.location = evil end)
    pcall(function() ngx.header["set-cookie"] = { evil, evil } end)
    pcall(ngx.req.set_header, evil, evil)
end
ngx.say("said")
