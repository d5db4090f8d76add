for _ in (("a"):rep(1e6)):gmatch("a-") do for _ in (("a"):rep(1e6)):gmatch("()") do end end
