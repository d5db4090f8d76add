return (("a"):rep(5e4)):find("(.*)(.*)(.*)%1%2%3b")
