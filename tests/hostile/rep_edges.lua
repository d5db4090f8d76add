for _, n in ipairs{-1, 0, 0/0, 1/0, -1/0, 2^31, 2^53, 2^63, 1e308} do
  pcall(string.rep, "x", n) pcall(string.rep, "", n) pcall(string.rep, "ab", n, ",") pcall(string.rep, 1, n) end
while true do ("x"):rep(8e6) end
