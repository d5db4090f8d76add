-- Says hello.   phase: access
return { access = function(conf) ngx.header["X-Greeting"] = conf.words end }
