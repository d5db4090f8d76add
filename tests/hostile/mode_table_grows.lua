local t = setmetatable({}, { __mode = "kv" }) while true do t[{}] = { ("x"):rep(1000) } end
