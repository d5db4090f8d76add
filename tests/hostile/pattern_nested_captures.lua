return (("a"):rep(1000)):match(("(a*"):rep(31) .. (")"):rep(31) .. "b")
