--- Admits requests that bring a valid signed token (RFC 6750, RFC 7519).
--- phase: access   budget: 20 µs (HMAC) to 0.5 ms (RSA, ECDSA) typical, 10 ms at most

local verifiers = setmetatable({}, { __mode = "k" })

local function verifier_of(conf)
  local made = verifiers[conf]
  if not made then
    made = waf.jwt_verifier(conf)
    verifiers[conf] = made
  end
  return made
end

local function variable_of(header)
  return "http_" .. string.gsub(string.lower(header), "-", "_")
end

local function token_of(conf)
  local header = ngx.var[variable_of(conf.header)]
  if header then
    -- Two such headers are joined by a comma and a space, which no token has.
    return string.match(header, "^[Bb][Ee][Aa][Rr][Ee][Rr] +([^ ]+) *$")
  end
  if conf.cookie ~= "" then
    return ngx.var["cookie_" .. conf.cookie]
  end
  return nil
end

-- RFC 6750, section 3: no error code for those who brought nothing.
local function refuse(conf, reason)
  local challenge = 'Bearer realm="' .. string.gsub(conf.realm, '[\\"%c]', "") .. '"'
  if reason then
    challenge = challenge .. ', error="invalid_token", error_description="' .. reason .. '"'
  end
  ngx.header["WWW-Authenticate"] = challenge
  return ngx.exit(ngx.HTTP_UNAUTHORIZED)
end

local function text_of(value)
  if type(value) == "string" or type(value) == "boolean" then
    return tostring(value)
  end
  if type(value) == "number" then
    return value == math.floor(value) and math.abs(value) < 2 ^ 53 and string.format("%d", value) or tostring(value)
  end
  if type(value) ~= "table" then
    return nil
  end
  local texts = {}
  for _, item in ipairs(value) do
    local text = type(item) ~= "table" and text_of(item)
    if text then
      table.insert(texts, text)
    end
  end
  return #texts > 0 and table.concat(texts, ",") or nil
end

local M = {}

M.doc = [[
Admits requests that bring a valid signed token, as `Authorization: Bearer TOKEN` or in a cookie.
All others are answered with 401 and, in WWW-Authenticate, the reason. The claims are in
`ngx.ctx.jwt`; those that the settings name go to the upstream in headers that the client cannot set
itself.

Signatures: HS256, HS384, HS512 (a shared secret of at least 32 bytes, please), RS256, RS384, RS512,
PS256, PS384, PS512, ES256, ES384 and EdDSA. The kind of the key decides which of them can be; a
token without a signature is never taken. From a key set (JWKS) the key is chosen by the token's
`kid`. `exp` (unless `require_exp` is off) must be there and not past, `nbf` not ahead; `iss` and
`aud` are checked where the settings name them, and must then be there. Tokens have 16 KiB at most.
]]

M.schema = {
  secret = { type = "string", doc = "A shared secret for HS256, HS384 and HS512." },
  secret_file = { type = "file", doc = "A file with it; a line break at its end does not count." },
  public_key = { type = "string", doc = "A public key in PEM." },
  public_key_file = { type = "file", doc = "A file with it." },
  jwks_file = { type = "file", doc = "A file with a JSON Web Key Set (RFC 7517)." },
  algorithms = {
    type = "list",
    of = {
      type = "enum",
      values = {
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
        "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
      },
    },
    doc = "The algorithms that are taken; not set: all that fit the keys.",
  },
  issuer = { type = "list", of = "string", doc = "Issuers that are taken; not set: any." },
  audience = { type = "list", of = "string", doc = "Audiences of which the token must name one; not set: any." },
  leeway = { type = "duration", default = "0s", max = "1d", doc = "How far clocks may be apart." },
  require_exp = { type = "boolean", default = true, doc = "Whether a token must end at some time." },
  header = { type = "string", default = "Authorization", doc = "The header that brings the token after `Bearer`." },
  cookie = { type = "string", default = "", doc = "The cookie that may bring it instead; empty: none." },
  realm = { type = "string", default = "Moongate", doc = "The realm named in WWW-Authenticate." },
  claims_to_headers = { type = "map", of = "string", doc = "Claims, and the headers in which the upstream gets them." },
  hide_token = { type = "boolean", default = false, doc = "Whether the header with the token is kept from the upstream." },
}

function M.init(conf)
  verifier_of(conf)
end

function M.access(conf)
  -- Removed before anything else: a later handler may answer from them.
  for _, header in pairs(conf.claims_to_headers or {}) do
    waf.set_trusted_header(header)
  end
  local token = token_of(conf)
  if not token then
    return refuse(conf)
  end
  local claims, reason = verifier_of(conf):verify(token)
  if not claims then
    return refuse(conf, reason)
  end
  ngx.ctx.jwt = claims
  if conf.hide_token then
    ngx.req.clear_header(conf.header)
  end
  for claim, header in pairs(conf.claims_to_headers or {}) do
    waf.set_trusted_header(header, text_of(claims[claim]))
  end
end

return M
