for _, f in ipairs{ "i17", "s0", "!17", ("!1"):rep(1e4), "z", "c" .. 2^31, ("x"):rep(1e6), "Xi16", ">" .. ("<"):rep(1e6) } do
  pcall(string.pack, f, "x") pcall(string.unpack, f, ("x"):rep(100)) pcall(string.packsize, f) end
while true do pcall(string.pack, ("z"):rep(200), table.unpack(table.create(200, ("x"):rep(1e4)))) end
