--- A body that is dropped before it was read.  phase: access
ngx.req.discard_body()
same(ngx.req.get_body_data(), nil)
fails("request body already discarded asynchronously", ngx.req.set_body_data, "x")
fails("request body already discarded asynchronously", ngx.req.init_body)
local ok, err = ngx.on_abort(function() end)
same(ok, nil) same(err, "lua_check_client_abort is off")
fails("bad argument #1 to 'on_abort' (Lua function expected)", ngx.on_abort)
