table.move({}, 1, 2^30, -2^30)
