-- A status of more than three digits.
-- answers: 503
ngx.status = 70000
