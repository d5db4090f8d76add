--- For wrk: every request has values that none had before, wherever its parts say `0fresh0`.
--- Arguments: the method, the content type and the file of the body's text; or none, for a GET.
local count, text = 0, nil

local function fresh(part)
  return (part:gsub("0fresh0", function()
    count = count + 1
    return string.format("%x", count * 2654435761 % 4294967296)
  end))
end

function init(args)
  if args[1] then
    wrk.method = args[1]
    wrk.headers["Content-Type"] = args[2]
    local file = assert(io.open(args[3], "rb"))
    text = file:read("*a")
    file:close()
  end
end

function request()
  local headers = {}
  for name, value in pairs(wrk.headers) do
    headers[name] = fresh(value)
  end
  return wrk.format(wrk.method, fresh(wrk.path), headers, text and fresh(text))
end
