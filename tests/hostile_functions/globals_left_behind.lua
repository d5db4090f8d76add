-- Makes globals and changes what others call.
leaked = "BROKEN"
_G.leaked = "BROKEN"
_G.print = function() end
_G.ngx = { say = function() end }
_G.assert, _G.pcall, _G.type = nil, nil, nil
rawset(_G, "tostring", function() return "BROKEN" end)
_G._G = nil
