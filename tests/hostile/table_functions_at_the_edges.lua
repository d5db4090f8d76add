for _, n in ipairs{-2^31, -1, 0, 2^30, 2^31 - 1, 2^31, 2^53, 0/0, 1/0} do
  pcall(table.insert, {}, n, 1) pcall(table.remove, {1}, n) pcall(table.concat, {}, "", 1, n)
  pcall(table.unpack, {}, 1, n) pcall(table.create, n) pcall(table.move, {1}, 1, n, 2)
  pcall(table.move, {}, 1, 2^30, n) pcall(table.find, {1}, 2, n) pcall(select, n, 1) pcall(utf8.char, n)
  pcall(buffer.create, n) pcall(string.byte, "x", 1, n) pcall(string.sub, "x", n, n) pcall(math.random, n)
end while true do end
