-- Expressions that take for ever to be made.
for _, pattern in ipairs({ ("(a{1,1000}){1,1000}"), ("((a{0,100}){0,100}){0,100}"), ("\\w{1000}"):rep(50), ("("):rep(5000) .. (")"):rep(5000), ("[a-z]"):rep(5000), ("a|"):rep(8000), "\\p{L}{500}", "(?i)" .. ("\\x{1F600}"):rep(1000) }) do
    pcall(ngx.re.match, "aaa", pattern, "jou")
end
ngx.say("done")
