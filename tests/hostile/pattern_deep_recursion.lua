return pcall(string.match, ("a"):rep(1e6), ("a?"):rep(1e4) .. "$"), (("a"):rep(1e6)):match(("(.)"):rep(33))
