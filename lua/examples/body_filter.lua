--- Turns text into upper case.
--- phase: body_filter   budget: 1 µs a KiB   may not wait; runs for each chunk, cut in any place
---
--- Letter by letter, so that no chunk needs its neighbour; the length stays the same. A filter that
--- looks for words must hold what may be the beginning of one, or be a module with `whole_body`.

-- Of a coded body (gzip, br) the bytes are no letters: `waf.decode_body`, or a rewrite handler that
-- clears the request's Accept-Encoding, makes them such.
if ngx.header["Content-Encoding"] then
  return
end

ngx.arg[1] = string.upper(ngx.arg[1])
