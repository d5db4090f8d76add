-- Claims chunks and sends none.
ngx.header["Transfer-Encoding"] = "chunked"
ngx.print("0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnobody")
