--- For wrk: targets in turn, and where their parts say `0fresh0` a value.
--- Arguments: `fresh` (a value that none had before) or `repeated` (always the same); a file of
--- targets, one a line; how many milliseconds a connection waits before each request; then the
--- method, the content type and the file of the body, or none of these.
local count, text, repeated = 0, nil, nil
local targets = {}

local function fresh(part)
  return (part:gsub("0fresh0", function()
    count = count + 1
    return string.format("%x", count * 2654435761 % 4294967296)
  end))
end

local function same(part)
  return (part:gsub("0fresh0", "5eed5eed"))
end

local function format(target, put)
  local headers = {}
  for name, value in pairs(wrk.headers) do
    headers[name] = put(value)
  end
  return wrk.format(wrk.method, put(target), headers, text and put(text))
end

function init(args)
  for target in io.lines(args[2]) do
    targets[#targets + 1] = target
  end
  local pause = tonumber(args[3])
  if pause > 0 then
    -- wrk asks for it by this name.
    delay = function() return pause end
  end
  if args[4] then
    wrk.method = args[4]
    wrk.headers["Content-Type"] = args[5]
    local file = assert(io.open(args[6], "rb"))
    text = file:read("*a")
    file:close()
  end
  if args[1] == "repeated" then
    repeated = {}
    for at, target in ipairs(targets) do
      repeated[at] = format(target, same)
    end
  end
end

local at = 0

function request()
  at = at % #targets + 1
  return repeated and repeated[at] or format(targets[at], fresh)
end
