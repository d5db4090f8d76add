while true do pcall(os.date, ("%c"):rep(1000)) pcall(os.date, "%", 1e300) pcall(os.date, "*t", -1e300)
  pcall(os.time, { year = 1e300, month = 1, day = 1 }) pcall(os.date, ("%E"):rep(1e5)) end
