return (("x"):rep(1e5)):gsub("x", function() while true do pcall(error) end end)
