--- Sends lines to another machine, in batches, without delaying anyone.
---
--- `shipper.send(line)` may be called in any phase. The first line starts a timer; what has come
--- together by then goes in one connection. Past MAX_LINES, lines are dropped and counted: a
--- collector that is away costs memory within a bound, and no client's time.
---
--- `lua.network` must allow the collector.

local HOST, PORT = "127.0.0.1", 5140
local MAX_LINES = 1000
local DELAY = 0.2

local lines = {}
local dropped = 0
local pending = false

local function deliver(text)
  local sock = ngx.socket.tcp()
  sock:settimeout(2000)
  local ok, err = sock:connect(HOST, PORT)
  if not ok then
    return nil, err
  end
  local sent
  sent, err = sock:send(text)
  if sent then
    sock:setkeepalive(10000)
  else
    sock:close()
  end
  return sent, err
end

local function flush()
  pending = false
  if #lines == 0 then
    return
  end
  -- Lines that come while we wait for the socket begin a new batch.
  local batch = lines
  lines = {}
  local ok, err = deliver(table.concat(batch, "\n") .. "\n")
  if not ok then
    dropped = dropped + #batch
    ngx.log(ngx.WARN, "shipper: ", err, "; ", dropped, " lines lost so far")
  end
end

local M = {}

function M.send(line)
  if #lines >= MAX_LINES then
    dropped = dropped + 1
    return
  end
  -- A line that carries a line break would be two: what clients send can forge neither.
  lines[#lines + 1] = string.gsub(line, "%c", " ")
  if not pending then
    pending = ngx.timer.at(DELAY, flush) ~= nil
  end
end

return M
