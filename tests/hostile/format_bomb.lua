while true do string.format(("%99.99f"):rep(70), table.unpack(table.create(70, -1e308))) end
