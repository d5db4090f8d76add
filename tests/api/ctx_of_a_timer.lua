--- ngx.ctx where there is no exchange.  phase: init_worker
ngx.ctx.a = 1
same(ngx.ctx.a, 1)
fails("API disabled in the current context", function() return ngx.var.uri end)
