--- Warms a cache, and starts a timer that keeps it warm.
--- phase: init_worker   runs once in each worker; the timer's calls have a budget of their own

local function warm(premature)
  -- The policy is on its way out: its successor warms its own.
  if premature then
    return
  end
  ngx.shared.pages:set("/status", "all is well at " .. ngx.utctime() .. "\n", 30)
end

warm(false)

-- One worker is enough: the dictionary is for all.
if ngx.worker.id() == 0 then
  local ok, err = ngx.timer.every(10, warm)
  if not ok then
    ngx.log(ngx.ERR, "no timer: ", err)
  end
end
