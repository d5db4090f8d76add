-- A body where there is none: the next answer on the connection would be its.
ngx.status = 204
ngx.print("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnobody")
