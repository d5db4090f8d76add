-- Leaves modules for others to find, and takes the place of theirs.
local leaked = { secret = "BROKEN" }
pcall(function() package.loaded.leaked = leaked end)
pcall(function() package.loaded.cjson = { encode = function() return "BROKEN" end } end)
pcall(function() package.loaded.string = { rep = function() return "BROKEN" end } end)
pcall(function() package.preload.leaked = function() return leaked end end)
pcall(function() package.path = "/etc/?;/proc/self/?" end)
pcall(function() package.loaders = {} package.searchers = {} end)
local found, why = pcall(require, "passwd")
ngx.say(tostring(found), " ", ("x"):rep(2))
