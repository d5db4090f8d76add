-- One field of eight megabytes.
ngx.header["X-Giant"] = ("x"):rep(4000000)
ngx.header["X-Controls"] = ("\1"):rep(4000000)
ngx.say("said")
