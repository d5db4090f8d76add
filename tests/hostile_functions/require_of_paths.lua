-- Requires files by their paths.
for _, name in ipairs({ "@FILE@", "/etc/passwd", "../../../etc/passwd", "..", ".", "", "\0", "canary.txt", "file:///etc/passwd", ("a."):rep(10000), ("/"):rep(100000), "ngx\0", "ffi", "io" }) do
    local found, made = pcall(require, name)
    if found and made then ngx.say("BROKEN ", name) end
end
ngx.say("nothing")
