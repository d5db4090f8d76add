while true do string.split(("x"):rep(4e6), "") end
