-- Asks for all the machine has.
-- refused: limits
return { content = function() end, declares = { limits = { cpu = "1h", memory = "100GiB", connections = 1000000 } } }
