--- Admits by address, key and path.
--- phase: access   budget: 5 µs typical

local uri = ngx.var.uri

if string.sub(uri, 1, 8) == "/private" then
  return ngx.exit(ngx.HTTP_NOT_FOUND)
end

-- Made once: the set behind it is found again by its content.
local office = waf.ip_set({ items = { "127.0.0.0/8", "10.0.0.0/8", "::1" } })

if string.sub(uri, 1, 7) == "/office" and not office:contains() then
  return ngx.exit(ngx.HTTP_FORBIDDEN)
end

if string.sub(uri, 1, 5) == "/api/" then
  local key = ngx.req.get_headers()["x-api-key"]
  if type(key) ~= "string" or not waf.constant_time_equals(key, "open-sesame") then
    ngx.header["WWW-Authenticate"] = "ApiKey"
    return ngx.exit(ngx.HTTP_UNAUTHORIZED)
  end
end
