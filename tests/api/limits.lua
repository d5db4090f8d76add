--- Locks and limits that all workers share.  phase: access
local clear, err
local lock = require "resty.lock"
clear, err = lock:new("nowhere") same(err, "dictionary not found")
local mine, other = lock:new("cache"), lock:new("cache", {timeout = 0.01, exptime = 5})
same(mine:lock("key"), 0) clear, err = mine:lock("key") same(err, "locked")
clear, err = other:lock("key") same(clear, nil) same(err, "timeout")
same(mine:expire(9), true) same(mine:unlock(), 1) clear, err = mine:unlock() same(err, "unlocked")
same(other:lock("key"), 0) same(other:unlock(), 1) clear, err = mine:lock() same(err, "nil key")

local by_rate = require("resty.limit.req").new("cache", 10, 1)
local delay, excess = by_rate:incoming("r", true) same(delay, 0) same(excess, 0)
delay, excess = by_rate:incoming("r", true) same(delay > 0.05 and delay <= 0.1, true) same(excess <= 1, true)
delay, err = by_rate:incoming("r", true) same(delay, nil) same(err, "rejected") same(by_rate:uncommit("r"), true)
delay = by_rate:incoming("r", false) same(delay ~= nil, true) clear, err = by_rate:uncommit("none") same(err, "not found")
by_rate:set_rate(1000) by_rate:set_burst(0) clear, err = require("resty.limit.req").new("nowhere", 1, 1) same(err, "shared dict not found")
local at_once = require("resty.limit.conn").new("cache", 1, 1, 0.5)
same(at_once:incoming("c", true), 0) same(at_once:incoming("c", true), 0.5) same(at_once:is_committed(), true)
clear, err = at_once:incoming("c", true) same(err, "rejected") same(at_once:leaving("c", 0.1), 1) same(at_once:uncommit("c"), 0)
local in_window = require("resty.limit.count").new("cache", 2, 60)
local _, left = in_window:incoming("n", true) same(left, 1) _, left = in_window:incoming("n", true) same(left, 0)
clear, err = in_window:incoming("n", true) same(err, "rejected") same(in_window:uncommit("n"), 0)
local states = {}
local combined = require("resty.limit.traffic").combine
local fresh = require("resty.limit.count").new("cache", 1, 60)
same(combined({fresh, at_once}, {"one", "two"}, states), 0) same(states[1], 0) same(states[2], 1)
clear, err = combined({fresh, at_once}, {"one", "two"}, states) same(clear, nil) same(err, "rejected")
