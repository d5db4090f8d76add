--- Refuses clients of the listed networks, and those without a known key: the usual script of an
--- OpenResty operator, a list of ranges searched from its beginning for every request.
--- phase: init, access

local bit = require("bit")
local band, bor, lshift = bit.band, bit.bor, bit.lshift

local admission = {}
local networks = {}

local function number(a, b, c, d)
  return bor(lshift(a, 24), lshift(b, 16), lshift(c, 8), d)
end

function admission.init(path, keys)
  for line in io.lines(path) do
    local a, b, c, d, bits = line:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)/(%d+)$")
    local mask = lshift(-1, 32 - tonumber(bits))
    networks[#networks + 1] = { first = band(number(a, b, c, d), mask), mask = mask }
  end
  for key, owner in pairs(keys) do
    ngx.shared.api_keys:set(key, owner)
  end
end

function admission.access()
  local address = number(ngx.var.binary_remote_addr:byte(1, 4))
  for i = 1, #networks do
    local network = networks[i]
    if band(address, network.mask) == network.first then
      return ngx.exit(ngx.HTTP_FORBIDDEN)
    end
  end
  local key = ngx.var.http_x_api_key
  if not key or not ngx.shared.api_keys:get(key) then
    return ngx.exit(ngx.HTTP_UNAUTHORIZED)
  end
end

return admission
