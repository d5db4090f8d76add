-- Says less than it sends: the rest would be the next answer.
ngx.header.content_length = 2
ngx.print("okHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnobody")
