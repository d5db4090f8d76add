-- Waits and leaves where a native function is half done.
pcall(table.sort, { 5, 4, 3, 2, 1 }, function(a, b) ngx.sleep(0.001) return a < b end)
pcall(ngx.re.gsub, "aaa", "a", function() ngx.sleep(0.001) return "b" end)
table.sort({ 5, 4, 3, 2, 1 }, function(a, b) ngx.exit(403) return a < b end)
ngx.say("BROKEN")
