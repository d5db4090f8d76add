--- Computes the variable `branch`: which edition of the site a client is shown.
--- phase: set   budget: 2 µs typical   written as `set_by_lua_file: { branch: lua/examples/set.lua }`

if ngx.var.cookie_branch == "beta" then
  return "beta"
end

-- A tenth of all addresses, the same ones in every request.
if ngx.crc32_short(ngx.var.remote_addr) % 10 == 0 then
  return "beta"
end

return "stable"
