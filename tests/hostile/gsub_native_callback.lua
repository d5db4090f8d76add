local s = ("x"):rep(2e6) while true do s:gsub("x", string.upper) end
