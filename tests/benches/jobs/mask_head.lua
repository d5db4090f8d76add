--- The body will change, and its length with it.  phase: header_filter
ngx.header["Content-Length"] = nil
ngx.ctx.chunks = {}
