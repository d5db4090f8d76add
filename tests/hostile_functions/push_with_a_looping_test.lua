-- A test that never ends.
-- refused: push_with_a_looping_test
return { content = function() end, test = function(t) while true do end end }
