--- Admits or refuses clients by address.
--- phase: access   budget: 2 µs typical, 10 ms at most (the lists are native, built before the policy is in force)

local sets = setmetatable({}, { __mode = "k" })

local function given(list)
  return list ~= nil and #list > 0
end

local function set_of(items, files)
  if given(items) or given(files) then
    return waf.ip_set({ items = items, files = files })
  end
  return nil
end

-- Every state builds its handles once; the sets behind them are one for the process.
local function sets_of(conf)
  local made = sets[conf]
  if not made then
    made = {
      allow = set_of(conf.allow, conf.allow_file),
      deny = set_of(conf.deny, conf.deny_file),
    }
    sets[conf] = made
  end
  return made
end

local M = {}

M.doc = [[
Admits or refuses clients by address. The address is the client's real one (`ngx.var.remote_addr`,
after `trusted_proxies`). A client in a deny list is refused; where there is an allow list, so is
every client that is not in one. Deny goes before allow.

Lists have one address or network a line (`192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`); `#` and `;`
begin a comment. A list file that is edited is in force a moment later; a line in it that is neither
refuses the new policy and leaves the last one in force.
]]

M.schema = {
  allow = { type = "list", of = "string", doc = "Addresses and networks that are admitted; all others are refused." },
  allow_file = { type = "list", of = "file", doc = "Files with such addresses and networks." },
  deny = { type = "list", of = "string", doc = "Addresses and networks that are refused." },
  deny_file = { type = "list", of = "file", doc = "Files with such addresses and networks." },
  status = { type = "integer", default = 403, min = 400, max = 599, doc = "What a refused client is answered." },
}

function M.init(conf)
  sets_of(conf)
end

function M.access(conf)
  local lists = sets_of(conf)
  if lists.deny and lists.deny:contains() then
    return ngx.exit(conf.status)
  end
  if lists.allow and not lists.allow:contains() then
    return ngx.exit(conf.status)
  end
end

return M
