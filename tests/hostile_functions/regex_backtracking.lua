-- Expressions that take for ever where they are tried one way after another.
local text = ("a"):rep(200)
for _, pattern in ipairs({ "(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?=(a+)+b)a", "(a+)+\\1b", "(?<!a+)(a+)+b", "(x+x+)+y", "((a*)*)*b" }) do
    for _, options in ipairs({ "", "jo", "i" }) do pcall(ngx.re.find, text .. "!", pattern, options) end
end
ngx.say("done")
