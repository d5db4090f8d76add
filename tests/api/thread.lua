--- Light threads, semaphores, coroutines that yield to each other.  phase: content
local log = {}
local function note(...) log[#log + 1] = table.concat({...}, " ") end
local function noted(wanted, what) same(table.concat(log, ","), wanted, what) log = {} end

-- A thread runs at once, until it first waits.
local t = ngx.thread.spawn(function(a, b) note("a", a, b) ngx.sleep(0.01) note("b") return 1, nil, 3 end, "x", 7)
note("spawned")
same(type(t), "thread") same(coroutine.status(t), "running")
same(select("#", ngx.thread.wait(t)), 4)
noted("a x 7,spawned,b")
same(coroutine.status(t), "dead")
local ok, err = ngx.thread.wait(t)
same(ok, nil) same(err, "already waited or killed")
ok, err = ngx.thread.kill(t)
same(ok, nil) same(err, "already waited or killed")

-- The first that ends is the one that is told of.
local slow = ngx.thread.spawn(function() ngx.sleep(5) return "slow" end)
local fast = ngx.thread.spawn(function() ngx.sleep(0.01) return "fast" end)
ok, err = ngx.thread.wait(slow, fast)
same(ok, true) same(err, "fast")
same(ngx.thread.kill(slow), 1)
same(coroutine.status(slow), "dead")

-- What ended before it was waited for is a zombie.
t = ngx.thread.spawn(function() return "early" end)
same(coroutine.status(t), "zombie")
ok, err = coroutine.resume(t)
same(ok, false) same(err, "cannot resume zombie coroutine")
ok, err = ngx.thread.wait(t)
same(ok, true) same(err, "early")
t = ngx.thread.spawn(function() end)
ok, err = ngx.thread.kill(t)
same(ok, nil) same(err, "already terminated")

-- What a thread returned is all there when it is asked for, by itself or among others.
local function give(...) return ... end
t = ngx.thread.spawn(give, nil, 2, nil)
same(select("#", ngx.thread.wait(t)), 4)
same(select(3, ngx.thread.wait(ngx.thread.spawn(give, nil, 2, nil))), 2)
local one, two
local many = {}
for n = 1, 200 do many[n] = n end
same(select(201, ngx.thread.wait(ngx.thread.spawn(give, unpack(many)))), 200)
one, two = ngx.thread.spawn(give, "one"), ngx.thread.spawn(give, "two")
collectgarbage()
ok, err = ngx.thread.wait(two, one)
same(err, "two")
same(select(2, ngx.thread.wait(one, two)), "one")
same(select(2, ngx.thread.wait(one, two)), "already waited or killed")
t = ngx.thread.spawn(function() error({ code = 5 }) end)
same(ngx.thread.wait(t), false)
-- Threads within threads end before the stack does, or at the most that a call may have.
local deepest = 0
local function deeper(depth)
    deepest = depth
    local ok, err = ngx.thread.wait(ngx.thread.spawn(deeper, depth + 1))
    return ok, err
end
ngx.thread.wait(ngx.thread.spawn(deeper, 1))
same(deepest > 50 and deepest <= 1000, true, deepest)

-- A thread that fails does not end the others.
t = ngx.thread.spawn(function() ngx.sleep(0) error("broken") end)
ok, err = ngx.thread.wait(t)
same(ok, false) same(err:match("broken$"), "broken")

-- They take turns.
one = ngx.thread.spawn(function() for n = 1, 3 do note("one", n) coroutine.yield() end end)
two = ngx.thread.spawn(function() for n = 1, 3 do note("two", n) coroutine.yield() end end)
note("own") coroutine.yield() note("own again")
ngx.thread.wait(one) ngx.thread.wait(two)
noted("one 1,two 1,one 2,own,two 2,one 3,own again,two 3")

-- Coroutines of scripts stay what they are, inside of threads too.
local made = coroutine.wrap(function(a) ngx.sleep(0.001) local b = coroutine.yield(a + 1) return a + b end)
same(made(1), 2) same(made(5), 6)
t = ngx.thread.spawn(function()
    local inner = coroutine.create(function() ngx.sleep(0.001) coroutine.yield("y") return "r" end)
    local _, first = coroutine.resume(inner)
    local _, second = coroutine.resume(inner)
    return first .. second .. coroutine.status(inner)
end)
ok, err = ngx.thread.wait(t)
same(err, "yrdead")

-- Only who made a thread has a say in it.
local child
t = ngx.thread.spawn(function() child = ngx.thread.spawn(function() ngx.sleep(0.1) end) ngx.sleep(5) end)
ngx.sleep(0.001)
fails("only the parent coroutine can wait on the thread", ngx.thread.wait, child)
ok, err = ngx.thread.kill(child)
same(ok, nil) same(err, "killer not parent")
ngx.thread.kill(t)
fails("at least one coroutine should be specified", ngx.thread.wait)
fails("bad argument #1 to 'wait' (lua thread expected)", ngx.thread.wait, 1)
fails("attempt to wait on a coroutine that is not a user thread", ngx.thread.wait, coroutine.create(print))
ok, err = ngx.thread.kill(coroutine.create(print))
same(ok, nil) same(err, "not user thread")
fails("bad argument #1 to 'kill' (lua thread expected)", ngx.thread.kill)
fails("bad argument #1 to 'spawn' (Lua function expected)", ngx.thread.spawn)
fails("cannot close a light thread", coroutine.close, t)

-- A body is read beside threads that wait for something else.
t = ngx.thread.spawn(function() ngx.req.read_body() return ngx.req.get_body_data() end)
ok, err = ngx.thread.wait(t)
same(err, "a=1&b=%20&c")

-- Semaphores.
local semaphore = require("ngx.semaphore")
fails("no negative number", semaphore.new, -1)
local sema = semaphore.new(1)
same(sema:count(), 1)
same(sema:wait(1), true)
ok, err = sema:wait(0)
same(ok, nil) same(err, "timeout")
ok, err = sema:wait(0.01)
same(ok, nil) same(err, "timeout")
same(sema:count(), 0)
local waiting = {}
for n = 1, 3 do
    waiting[n] = ngx.thread.spawn(function() note("wait", n) local ok = sema:wait(5) note("got", n) return ok end)
end
same(sema:count(), -3)
same(sema:post(2), true)
same(sema:count(), -1)
ngx.thread.wait(waiting[1]) ngx.thread.wait(waiting[2])
ngx.thread.kill(waiting[3])
same(sema:count(), 0, "who was killed waits no more")
noted("wait 1,wait 2,wait 3,got 1,got 2")
sema:post() same(sema:count(), 1)
fails("positive number required", sema.post, sema, 0)
fails("no negative number", sema.wait, sema, -1)
fails("not a semaphore instance", sema.wait, {})
fails("not a semaphore instance", sema.count, 1)

-- A thread that is left behind is waited for when the script has ended.
ngx.thread.spawn(function() ngx.sleep(0.01) ngx.ctx.late = true end)
local ok, err = ngx.run_worker_thread("none", "module", "name")
same(ok, false) same(err, "thread pool none not found")
ok, err = ngx.run_worker_thread("none")
same(err, "expecting at least 3 arguments")
