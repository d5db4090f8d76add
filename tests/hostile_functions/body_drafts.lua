-- New bodies without end.
ngx.req.read_body()
local piece = ("x"):rep(1000000)
for _ = 1, 1000 do
    ngx.req.init_body()
    for _ = 1, 20 do pcall(ngx.req.append_body, piece) end
    ngx.req.finish_body()
    ngx.req.set_body_data(piece)
end
