-- Another expression each time: those that are kept must be few.
for number = 1, 1e6 do ngx.re.find("x", "(a|b|" .. number .. ")*c{1,50}[a-z]{1,50}", "jo") end
