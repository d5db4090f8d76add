pcall(function() package.loaded.string = { find = 1 } package.loaded._G = {} end)
pcall(function() package.loaded = {} end) pcall(function() package.preload = nil end)
pcall(require, ("x"):rep(1e6)) pcall(require, "../../etc/passwd") pcall(require, "/etc/passwd")
for i = 1, 1e9 do pcall(require, "x" .. i) end
