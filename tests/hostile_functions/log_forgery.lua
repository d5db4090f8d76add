-- Lines that look like others' lines.
for _, text in ipairs({ "a\nERROR moongate: forged", "a\r\nERROR", "\27[2J\27]0;owned\7", "\0", "\u{202e}gnihton", ("%s"):rep(100), "a\\nb" }) do
    ngx.log(ngx.ERR, text)
    print(text)
end
ngx.say("said")
