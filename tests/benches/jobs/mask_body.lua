--- Holds the body to its end, then sends it with all but the last four digits of card numbers
--- masked.  phase: body_filter
local chunks = ngx.ctx.chunks
local chunk, last = ngx.arg[1], ngx.arg[2]
if chunk and chunk ~= "" then
  chunks[#chunks + 1] = chunk
end
if last then
  local body = table.concat(chunks)
  ngx.arg[1] = ngx.re.gsub(body, [[\b\d{4}-\d{4}-\d{4}-(\d{4})\b]], "****-****-****-$1", "jo")
else
  ngx.arg[1] = nil
end
