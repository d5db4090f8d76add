-- Asks for routes that it did not declare.
-- answers: 200
for _, path in ipairs{"/alice", "/mallory/capture_undeclared", "/", "//alice", "/%61lice", "/x/../alice"} do
    local ok, err = pcall(ngx.location.capture, path)
    assert(not ok and (err:find("not allowed", 1, true) or err:find("unsafe uri", 1, true)), err)
    ok, err = pcall(ngx.exec, path)
    assert(not ok and (err:find("not allowed", 1, true) or err:find("unsafe uri", 1, true)), err)
end
local ok, err = pcall(ngx.exec, "@named")
assert(not ok and err:find("named route", 1, true), err)
ngx.say("done")
