-- Answers more than it may, a little at a time.
-- answers: 200 closed
while true do
    ngx.print(("x"):rep(10000))
    ngx.flush(true)
end
