while true do string.split((","):rep(4e6), ",") end
