-- Internal redirects, in a circle.
for _ = 1, 1000 do pcall(function() ngx["exec"]("/mallory/exec_storm") end) end
for _ = 1, 1000 do pcall(function() local location = ngx["location"] location.capture("/alice") end) end
ngx.say("done")
