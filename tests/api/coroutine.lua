--- Coroutines of scripts: what goes in and out, how they end, and what is told of them.  phase: access
local co = coroutine.create(function(...) return select("#", ...), coroutine.yield(1, nil, 3) end)
same(coroutine.status(co), "suspended")
same(select("#", coroutine.resume(co, nil, nil)), 4)
local ok, count, a, b = coroutine.resume(co, nil, "b")
same(ok, true) same(count, 2) same(a, nil) same(b, "b")
same(coroutine.status(co), "dead")
ok, a = coroutine.resume(co) same(ok, false) same(a, "cannot resume dead coroutine")
same(select("#", coroutine.resume(coroutine.create(function() end))), 1)
fails("bad argument #1 to 'resume' (coroutine expected)", coroutine.resume, print)
fails("bad argument #1 to 'status' (coroutine expected)", coroutine.status)
fails("function expected", coroutine.create, 1) fails("function expected", coroutine.wrap)

-- One within another, and itself.
local outer
outer = coroutine.create(function()
  same(coroutine.status(outer), "running")
  local inner = coroutine.create(function() return coroutine.status(outer), coroutine.resume(outer) end)
  local _, status, resumed, why = coroutine.resume(inner)
  same(status, "normal") same(resumed, false) same(why, "cannot resume normal coroutine")
  return coroutine.resume(outer)
end)
ok, a, b = coroutine.resume(outer) same(ok, true) same(a, false) same(b, "cannot resume running coroutine")

-- Errors: texts, tables, from within; `wrap` fails where it is called.
ok, a = coroutine.resume(coroutine.create(function() error("oops") end)) same(ok, false) same(a:match("oops$"), "oops")
ok, a = coroutine.resume(coroutine.create(function() error({ code = 5 }) end)) same(ok, false) same(a.code, 5)
ok, a = pcall(coroutine.wrap(function() error({ code = 6 }) end)) same(ok, false) same(a.code, 6)
ok, a = pcall(coroutine.wrap(function() coroutine.wrap(function() error("deep", 0) end)() end)) same(a, "deep")
ok, a = pcall(coroutine.wrap(function() ngx.timer.at() end)) same(ok, false) same(type(a), "string")
local next = coroutine.wrap(function() return 1 end)
same(next(), 1) fails("cannot resume dead coroutine", next)

-- What waits goes on by itself: in a coroutine, in one of one, below `pcall`, and in a thread.
next = coroutine.wrap(function(...)
  for n = 1, 3 do ngx.sleep(0) coroutine.yield(n, ...) end
  return "end"
end)
same(select("#", next(7, nil)), 3) same(next(), 2) same(next(), 3) same(next(), "end")
local function nest(n)
  if n == 0 then ngx.sleep(0.001) return "bottom" end
  local _, word = coroutine.resume(coroutine.create(nest), n - 1)
  return coroutine.wrap(function() ngx.sleep(0) return word end)()
end
same(nest(20), "bottom")
same(select(2, ngx.thread.wait(ngx.thread.spawn(nest, 5))), "bottom")
ok, a = coroutine.resume(coroutine.create(function() return pcall(function() ngx.sleep(0) error("late", 0) end) end)) same(a, false)
local odd = setmetatable({}, { __index = function() return coroutine.wrap(function() ngx.sleep(0.001) return 1 end)() end })
fails("attempt to yield across metamethod/C-call boundary", function() return odd.x end)
odd = setmetatable({}, { __index = function() return coroutine.yield() end })
fails("attempt to yield across metamethod/C-call boundary", coroutine.wrap(function() return odd.x end))

-- As deep as C lets them.
local depth = 0
local function deeper() depth = depth + 1 return assert(coroutine.resume(coroutine.create(deeper))) end
ok, a = coroutine.resume(coroutine.create(deeper)) same(ok, false) same(depth > 100 and depth < 1000, true)

-- More values than fit.
local many = {} for n = 1, 7000 do many[n] = n end
same(select("#", coroutine.wrap(function(...) return ... end)(unpack(many))), 7000)
next = coroutine.wrap(function(...) while true do coroutine.yield(...) end end)
same(select("#", next(unpack(many))), 7000) same(select("#", next()), 7000)

-- Closed, running, and outside of any.
co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co)
same(coroutine.close(co), true) same(coroutine.status(co), "dead")
same(coroutine.wrap(function() return coroutine.isyieldable() end)(), true)
same(type(coroutine.running()), "thread")
same(select("#", coroutine.yield(1, 2)), 0)
-- Wherever a slice ends, whatever runs then goes on to its end: errors on their way too.
for turn = 1, 10000 do
  local ok, said = pcall(coroutine.wrap(function() error("no", 0) end))
  if ok or said ~= "no" then error("lost an error in turn " .. turn) end
  ok, said = coroutine.resume(coroutine.create(function(n) return n + coroutine.yield() end), turn)
  if not ok or said ~= nil then error("lost a value in turn " .. turn) end
  ok, said = ngx.thread.wait(ngx.thread.spawn(function(n) return n end, turn))
  if not ok or said ~= turn then error("lost a thread in turn " .. turn) end
end
