--- Writes a line here, and sends it to another machine.
--- phase: log   budget: 5 µs typical   the client has its answer: nobody waits for any of this

local shipper = require("shipper")

local line = string.format(
  '%s %s "%s %s" %d',
  ngx.utctime(),
  ngx.var.remote_addr,
  ngx.var.request_method,
  ngx.var.request_uri,
  ngx.status
)

ngx.log(ngx.INFO, line)
shipper.send(line)
