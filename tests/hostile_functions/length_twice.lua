-- Lengths that contradict each other, in every spelling.
ngx.header["Content-Length"] = { "2", "7" }
ngx.header["content_length"] = "9"
ngx.header["CONTENT-LENGTH"] = "-1"
ngx.print("four")
