-- Files by everything that takes a name.
local path = "@FILE@"
for name, attempt in pairs({
    set = function() return waf.ip_set { files = { path } }:len() end,
    keys = function() return waf.key_set { files = { path } } end,
    users = function() return waf.user_list { files = { path } } end,
    jwt = function() return waf.jwt_verifier { secret_file = path } end,
    jwks = function() return waf.jwt_verifier { jwks_file = path } end,
    public = function() return waf.jwt_verifier { public_key_file = path } end,
}) do
    local done, why = pcall(attempt)
    if done then ngx.say("BROKEN ", name) end
    ngx.say((tostring(why):gsub("%s.*", "")))
end
