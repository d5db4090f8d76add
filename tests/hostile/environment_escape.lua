local tried = {}
for _, f in pairs{ "getfenv", "setfenv", "debug", "newproxy", "io", "loadfile", "dofile", "gcinfo" } do
  tried[f] = _G[f] end
if tried.getfenv then getfenv(0).leaked = 1 end
if tried.setfenv then setfenv(0, {}) end
assert(not tried.io and not tried.newproxy and not tried.debug.getupvalue, "reached out")
while true do end
