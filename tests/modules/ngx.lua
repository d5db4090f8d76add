-- As much of `ngx` as the shipped modules use, over what the bench gives: __header, __clear_header,
-- __gsub, __base64. Response headers and the body are plain values that tests set and read.

local function folded(name)
  return (string.gsub(string.lower(name), "_", "-"))
end

local response = {}

ngx = {
  HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403, HTTP_SERVICE_UNAVAILABLE = 503, WARN = 5,
  ctx = {}, status = 200, arg = {}, body = nil,
  var = setmetatable({ request_id = "0123456789abcdef0123456789abcdef", scheme = "http" }, {
    __index = function(_, name)
      local values = string.sub(name, 1, 5) == "http_" and __header(folded(string.sub(name, 6))) or {}
      return values[1] and table.concat(values, ", ")
    end,
  }),
  log = function() end,
  decode_base64 = __base64,
  unescape_uri = function(text) return text end,
}

function ngx.exit(status)
  __exit = status
  error("exit " .. status, 0)
end

ngx.header = setmetatable({}, {
  __index = function(_, name) return response[folded(name)] end,
  __newindex = function(_, name, value) response[folded(name)] = value end,
})

ngx.req = {
  clear_header = function(name) __clear_header(name) end,
  read_body = function() end,
  get_body_data = function() return ngx.body end,
  get_body_file = function() return nil end,
  set_body_data = function(body) ngx.body = body end,
}

ngx.re = { gsub = function(text, pattern, with) return __gsub(text, pattern, with), 1 end }
