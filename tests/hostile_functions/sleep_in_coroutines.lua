-- Thousands of coroutines that all wait.
local all = {}
for number = 1, 2000 do
    local co = coroutine.create(function() ngx.sleep(10) end)
    coroutine.resume(co)
    all[number] = co
end
ngx.say(#all)
