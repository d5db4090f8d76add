-- An error that would fill the log.
-- calls: 8
error(("the canary is not here "):rep(100000))
