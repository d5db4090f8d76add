--- What body filters see and change.  phase: body_filter
same(ngx.arg[1], "chunk")
same(ngx.arg[2], true)
same(ngx.arg[3], nil)
ngx.arg[1] = ngx.arg[1]:upper()
same(ngx.arg[1], "CHUNK")
ngx.arg[1] = {"a", {"b", 1}}
same(ngx.arg[1], "ab1")
ngx.arg[1] = nil
same(ngx.arg[1], "")
ngx.arg[2] = false
same(ngx.arg[2], false)
fails("bad chunk data type", function() ngx.arg[1] = print end)
fails("bad index", function() ngx.arg[3] = "x" end)
same(ngx.status, 200)
ngx.status = 500 -- too late: logged
same(ngx.status, 200)
ngx.header["X-Late"] = "1"
same(ngx.header["X-Late"], nil)
