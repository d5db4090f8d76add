--- Asks for a user name and a password (RFC 7617).
--- phase: access   budget: 10 µs typical, 10 ms at most; waits for the hash (argon2, bcrypt) on another thread

local lists = setmetatable({}, { __mode = "k" })

local function list_of(conf)
  local made = lists[conf]
  if not made then
    made = waf.user_list({ users = conf.users, files = conf.users_file })
    lists[conf] = made
  end
  return made
end

local function credentials()
  -- Two such headers are joined by a comma, which no encoding has.
  local header = ngx.var.http_authorization
  local encoded = header and string.match(header, "^[Bb][Aa][Ss][Ii][Cc] +([%w+/=]+) *$")
  local decoded = encoded and ngx.decode_base64(encoded)
  if not decoded then
    return nil
  end
  return string.match(decoded, "^([^:]*):(.*)$")
end

local function ask(conf)
  ngx.header["WWW-Authenticate"] = 'Basic realm="' .. string.gsub(conf.realm, '[\\"%c]', "") .. '", charset="UTF-8"'
  return ngx.exit(ngx.HTTP_UNAUTHORIZED)
end

local M = {}

M.doc = [[
Asks for a user name and a password (HTTP basic authentication) and answers 401 without the right
ones. Passwords are kept as argon2 or bcrypt hashes, made with `htpasswd -nB NAME` or `argon2`. The
user is in `ngx.ctx.user`, and goes to the upstream in a header that the client cannot set itself.

A hash takes tens of milliseconds by intent: it is computed on another thread while the worker
serves others, on half of the cores at most; clients past that bound are answered 503. A right
password is remembered for a minute. A name that does not exist takes as long as one that does.
]]

M.schema = {
  realm = { type = "string", default = "Moongate", doc = "What the browser shows when it asks." },
  users = { type = "map", of = "string", doc = "Users and their hashes." },
  users_file = { type = "list", of = "file", doc = "Files with `user:hash` lines, as `htpasswd -B` writes them." },
  to_header = { type = "string", default = "X-Remote-User", doc = "The header that tells the upstream the user; empty: none." },
  hide_password = { type = "boolean", default = true, doc = "Whether the Authorization header is kept from the upstream." },
}

function M.init(conf)
  list_of(conf)
end

function M.access(conf)
  local user, password = credentials()
  if not user then
    return ask(conf)
  end
  local hash, known = list_of(conf):find(user)
  local fits, err = waf.verify_password(hash, password)
  if err == "busy" then
    ngx.header["Retry-After"] = "1"
    return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
  end
  if not (known and fits) then
    return ask(conf)
  end
  ngx.ctx.user = user
  if conf.hide_password then
    ngx.req.clear_header("Authorization")
  end
  if conf.to_header ~= "" then
    waf.set_trusted_header(conf.to_header, user)
  end
end

return M
