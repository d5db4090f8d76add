--- ngx.ctx lives as long as its exchange.  phase: access
ngx.ctx.a = 1
same(ngx.ctx.a, 1)
local ctx = ngx.ctx
same(ctx, ngx.ctx)
ngx.ctx = {b = 2}
same(ngx.ctx.a, nil) same(ngx.ctx.b, 2)
fails("ctx should be a table while getting a number", function() ngx.ctx = 5 end)
