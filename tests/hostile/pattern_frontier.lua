return (("a"):rep(1e6)):find("%f[" .. ("b-c"):rep(2e4) .. "]x")
