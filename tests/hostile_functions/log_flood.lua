-- Fills the log.
-- calls: 8
while true do ngx.log(ngx.EMERG, ("x"):rep(2000)) end
