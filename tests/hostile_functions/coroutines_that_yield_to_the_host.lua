-- Yields what the host itself yields, out of everything that takes a callback.
local function odd() coroutine.yield(coroutine.running(), ngx.null, nil, {}, function() end) end
pcall(odd)
pcall(table.sort, { 3, 2, 1 }, function(a, b) odd() return a < b end)
pcall(string.gsub, "abc", ".", odd)
pcall(ngx.re.gsub, "abc", ".", odd)
local meta = setmetatable({}, { __tostring = odd, __index = odd, __len = odd, __concat = odd })
pcall(tostring, meta) pcall(function() return meta .. "x" end) pcall(function() return #meta end)
pcall(ngx.say, meta) pcall(ngx.log, ngx.ERR, meta)
ngx.say("still here")
