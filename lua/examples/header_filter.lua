--- Adds headers to responses, and removes some.
--- phase: header_filter   budget: 2 µs typical   may not wait

ngx.header["X-Powered-By"] = nil
ngx.header["X-Branch"] = ngx.var.branch
ngx.header["Cache-Control"] = ngx.header["Cache-Control"] or "no-store"
