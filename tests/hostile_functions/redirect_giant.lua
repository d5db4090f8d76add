-- A redirect to four megabytes.
ngx.redirect(("x"):rep(4000000))
