-- Hashes that cost hours and gigabytes.
-- calls: 4
for _, hash in ipairs({ "$2y$31$" .. ("."):rep(53), "$argon2id$v=19$m=4194304,t=3,p=1$bW9vbmdhdGUncyBkZWNveQ$" .. ("A"):rep(43), "$argon2id$v=19$m=262144,t=16,p=1$bW9vbmdhdGUncyBkZWNveQ$" .. ("A"):rep(43) }) do
    pcall(waf.verify_password, hash, "x")
end
ngx.say("done")
