-- Closes and resumes the coroutine that it runs in, and those of the host.
local own = coroutine.running()
pcall(coroutine.close, own)
pcall(coroutine.resume, own)
local inner = coroutine.create(function() pcall(coroutine.close, own) pcall(coroutine.resume, own) ngx.sleep(0.01) ngx.exit(403) end)
pcall(coroutine.resume, inner)
pcall(coroutine.close, inner)
ngx.say("done")
