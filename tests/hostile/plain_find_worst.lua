local h, n = ("a"):rep(4e6), ("a"):rep(6e4) .. "b" while true do h:find(n, 1, true) end
