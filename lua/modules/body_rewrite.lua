--- Edits request and response bodies: by regex, and JSON field by field.
--- phases: access, header_filter, body_filter   budget: 1 ms for 100 KiB typical, 10 ms at most

local function given(setting)
  return setting ~= nil and next(setting) ~= nil
end

--- What is to be done in one direction; nil if nothing is.
local function edits_of(conf, side)
  local edits = {
    replace = conf[side .. "_replace"],
    set = conf[side .. "_json_set"],
    remove = conf[side .. "_json_remove"],
    mask = conf[side .. "_json_mask"],
  }
  edits.json = given(edits.set) or given(edits.remove) or given(edits.mask)
  return (edits.json or given(edits.replace)) and edits or nil
end

local function media_type(header)
  local first = type(header) == "table" and header[1] or header or ""
  return string.lower(string.match(first, "^%s*([^;%s]*)") or "")
end

local function is_json(kind)
  return kind == "application/json" or string.sub(kind, -5) == "+json"
end

local function covers(known, kind)
  if string.sub(known, -1) == "*" then
    return string.sub(kind, 1, #known - 1) == string.sub(known, 1, -2)
  end
  return known == kind or known == "application/json" and is_json(kind)
end

local function wanted(conf, kind)
  for _, known in ipairs(conf.types) do
    if covers(known, kind) then
      return true
    end
  end
  return false
end

--- The edited text, or nil and why not.
local function edited(text, edits, kind)
  if edits.json and is_json(kind) then
    local err
    text, err = waf.json_edit(text, edits)
    if not text then
      return nil, err
    end
  end
  for _, rule in ipairs(edits.replace or {}) do
    local result, _, err = ngx.re.gsub(text, rule.pattern, rule.with or "", rule.flags or "jo")
    if err then
      return nil, err
    end
    text = result
  end
  return text
end

local function request_body()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  -- What was spooled to disk is past any limit for an edit in memory.
  if body == nil and ngx.req.get_body_file() then
    return nil, 413
  end
  return body
end

local function edit_request(conf, edits)
  local kind = media_type(ngx.var.http_content_type)
  -- Two types, joined by a comma: the upstream could take the one that we do not edit.
  if string.find(kind, ",", 1, true) then
    return 400
  end
  if not wanted(conf, kind) then
    return nil
  end
  local body, status = request_body()
  if not body then
    return status
  end
  local text, err = waf.decode_body(body, ngx.var.http_content_encoding or "", conf.limit)
  if not text then
    return err == "too large" and 413 or err == "malformed" and 400 or 415
  end
  text, err = edited(text, edits, kind)
  if not text then
    ngx.log(ngx.WARN, "body_rewrite: request body: ", err)
    return 400
  end
  ngx.req.clear_header("Content-Encoding")
  ngx.req.set_body_data(text)
  return nil
end

--- Whether the response at hand is one to edit.
local function edits_response(conf)
  local status = ngx.status
  if not edits_of(conf, "response") or status == 204 or status == 304 or status < 200 then
    return false
  end
  return wanted(conf, media_type(ngx.header["Content-Type"]))
end

local M = {}

M.doc = [[
Edits bodies, in both directions: `*_replace` replaces what a regex finds (Rust's syntax; `$1` and
`${name}` stand for groups), `*_json_set`, `*_json_remove` and `*_json_mask` edit fields of JSON
bodies and leave every other byte as it is. A path has names and element numbers (from 0) between
dots, `*` stands for all of them: `items.*.card`. Masked values become `"***"`.

Only bodies of the types named in `types` are touched. Lengths are put right; ETag, digests and
ranges of an edited response go, as they speak of other bytes. Coded bodies (gzip, deflate, br) are
decoded, within `limit`: a request goes on plain, a response is coded again. Since that costs CPU,
the upstream is by default not told which codings the client takes (`plain_upstream`).

A request body that cannot be edited is refused: 400 (malformed), 413 (past the limit), 415 (unknown
coding). A response body that cannot be is an error of this module: with `on_error: refuse` the
client does not get it, with `pass` it gets it unedited. Mask with `refuse`.

The response is held until it is whole, up to the route's `response_body`: attach this module to
routes that answer documents, not to streams.
]]

M.whole_body = true

local replacements = { type = "list", of = { type = "map", of = "string" } }

local function replacement(doc)
  return { type = replacements.type, of = replacements.of, doc = doc }
end

M.schema = {
  request_replace = replacement("Edits of request bodies: `pattern`, `with`, and `flags` as of `ngx.re` (`i`: any case)."),
  request_json_set = { type = "map", of = "any", doc = "Fields to set or add in JSON requests: path and value." },
  request_json_remove = { type = "list", of = "string", doc = "Fields to remove from JSON requests." },
  request_json_mask = { type = "list", of = "string", doc = "Fields to mask in JSON requests." },
  response_replace = replacement("Edits of response bodies, likewise."),
  response_json_set = { type = "map", of = "any", doc = "Fields to set or add in JSON responses." },
  response_json_remove = { type = "list", of = "string", doc = "Fields to remove from JSON responses." },
  response_json_mask = { type = "list", of = "string", doc = "Fields to mask in JSON responses." },
  types = {
    type = "list",
    of = "string",
    default = { "text/*", "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded" },
    doc = "Media types that are edited; `*` at the end stands for any rest, and `application/json` for all `+json` too.",
  },
  limit = { type = "size", default = "1MiB", doc = "Bytes of a decoded body at the most." },
  plain_upstream = { type = "boolean", default = true, doc = "Whether the upstream is asked for bodies without a coding." },
}

function M.access(conf)
  if edits_of(conf, "response") then
    -- A piece of a body would pass by what is looked for in the whole of it.
    ngx.req.clear_header("Range")
    ngx.req.clear_header("If-Range")
    if conf.plain_upstream then
      ngx.req.clear_header("Accept-Encoding")
    end
  end
  local edits = edits_of(conf, "request")
  local status = edits and edit_request(conf, edits)
  if status then
    return ngx.exit(status)
  end
end

function M.header_filter(conf)
  if not edits_response(conf) then
    return
  end
  for _, name in ipairs({ "Content-Length", "ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges" }) do
    ngx.header[name] = nil
  end
end

function M.body_filter(conf)
  local body = ngx.arg[1]
  if body == nil or body == "" or not edits_response(conf) then
    return
  end
  local coding = ngx.header["Content-Encoding"] or ""
  local text, err = waf.decode_body(body, coding, conf.limit)
  if text then
    text, err = edited(text, edits_of(conf, "response"), media_type(ngx.header["Content-Type"]))
  end
  if text then
    text, err = waf.encode_body(text, coding)
  end
  if not text then
    error("body_rewrite: response body: " .. tostring(err), 0)
  end
  ngx.arg[1] = text
end

return M
