-- Redirects to everything that has a colon.
for _, uri in ipairs({ "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "//evil.example", "\\\\evil", "http://a\r\nX-Broken: yes", "http://a\0", "" }) do
    local ok = pcall(ngx.redirect, uri, 302)
end
ngx.redirect("gopher://127.0.0.1:@CANARY@/", 999)
