--- Makes data that all phases and workers share: here, where old addresses of the site have gone.
--- phase: init   runs before the policy is in force; an error in it keeps the last policy serving

local moved = ngx.shared.moved

for old, new in pairs({
  ["/shop.php"] = "/",
  ["/basket.php"] = "/basket",
}) do
  moved:set(old, new)
end
