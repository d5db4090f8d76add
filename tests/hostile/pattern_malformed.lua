for _, p in ipairs{"[", "[^", "%", "(", "%f", "[a", "[%", "(()", "%1", "[]", "%b", "%bx"} do
  pcall(string.find, ("a"):rep(1e6), p .. ("x"):rep(100)) pcall(string.find, ("a"):rep(1e6), ("x"):rep(100) .. p) end
while true do end
