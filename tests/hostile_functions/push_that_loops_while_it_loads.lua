-- Never gets to its end.
-- refused: push_that_loops_while_it_loads
while true do end
return { content = function() end }
