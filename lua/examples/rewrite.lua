--- Sends requests elsewhere: to another upstream, to another address, or home with a cached page.
--- phase: rewrite   budget: 5 µs typical

local uri = ngx.var.uri

-- From a shared dictionary, without any upstream.
local page = ngx.req.get_method() == "GET" and ngx.shared.pages:get(uri)
if page then
  ngx.header["Content-Type"] = "text/plain"
  ngx.header["X-Cache"] = "hit"
  ngx.print(page)
  return ngx.exit(ngx.HTTP_OK)
end

local new = ngx.shared.moved:get(uri)
if new then
  return ngx.redirect(new, 301)
end

-- Another declared upstream; the route must say `dynamic_upstream: true`.
if string.sub(uri, 1, 9) == "/reports/" then
  ngx.var.upstream = "reports"
end

-- What `set` found out decides where else.
if ngx.var.branch == "beta" then
  ngx.req.set_header("X-Branch", "beta")
end
