-- Makes the request's body a file of its choice.
ngx.req.read_body()
ngx.say(tostring(ngx.req.get_body_file()))
if ngx.req.set_body_file then pcall(ngx.req.set_body_file, "@FILE@") ngx.say(tostring(ngx.req.get_body_data())) end
