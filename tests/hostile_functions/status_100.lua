-- Says to go on, and then another answer.
ngx.status = 100
ngx.print("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnobody")
