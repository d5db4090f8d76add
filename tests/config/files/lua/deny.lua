return ngx.exit(403)
