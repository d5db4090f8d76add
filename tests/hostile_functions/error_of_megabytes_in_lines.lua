-- The same in lines that look like the log's own.
error(("\n2026-01-01T00:00:00Z ERROR moongate: the operator has logged in\27[2J\r\n"):rep(50000))
