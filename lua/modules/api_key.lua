--- Admits requests that bring a known API key.
--- phase: access   budget: 5 µs typical, 10 ms at most

local prepared = setmetatable({}, { __mode = "k" })

local function variable_of(header)
  return "http_" .. string.gsub(string.lower(header), "-", "_")
end

local function prepare(conf)
  local made = prepared[conf]
  if not made then
    made = {
      keys = waf.key_set({ keys = conf.keys, files = conf.keys_file }),
      header = variable_of(conf.header),
      query = conf.query ~= "" and "arg_" .. conf.query or nil,
    }
    prepared[conf] = made
  end
  return made
end

local M = {}

M.doc = [[
Admits requests that bring a known API key, in a header or, where the settings name one, in a query
argument. All others are answered with 401. The key's consumer is in `ngx.ctx.consumer`, and goes to
the upstream in a header that the client cannot set itself.

Keys are kept by their SHA-256. Write them plain, or as `sha256:` and 64 hex digits
(`printf %s KEY | sha256sum`). A key file has one `consumer:key` a line; `#` begins a comment.
]]

M.schema = {
  header = { type = "string", default = "X-Api-Key", doc = "The header that brings the key." },
  query = { type = "string", default = "", doc = "The query argument that may bring it instead; empty: none." },
  keys = { type = "map", of = "string", doc = "Consumers and their keys." },
  keys_file = { type = "list", of = "file", doc = "Files with `consumer:key` lines." },
  to_header = { type = "string", default = "X-Consumer", doc = "The header that tells the upstream the consumer; empty: none." },
  hide_key = { type = "boolean", default = true, doc = "Whether the header with the key is kept from the upstream." },
}

function M.init(conf)
  prepare(conf)
end

function M.access(conf)
  local made = prepare(conf)
  -- A header that came twice is joined by a comma, and so no key: which of them the upstream would
  -- take is not for us to guess.
  local key = ngx.var[made.header]
  if not key and made.query then
    key = ngx.unescape_uri(ngx.var[made.query] or "")
  end
  local consumer = key and made.keys:find(key)
  if not consumer then
    ngx.header["WWW-Authenticate"] = "ApiKey"
    return ngx.exit(ngx.HTTP_UNAUTHORIZED)
  end
  ngx.ctx.consumer = consumer
  if conf.hide_key then
    ngx.req.clear_header(conf.header)
  end
  if conf.to_header ~= "" then
    waf.set_trusted_header(conf.to_header, consumer)
  end
end

return M
