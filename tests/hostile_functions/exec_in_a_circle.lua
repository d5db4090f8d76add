-- Sends its request to itself, again and again.
-- answers: 500
return {
    declares = { routes = { "/mallory/exec_in_a_circle" } },
    content = function() ngx.exec("/mallory/exec_in_a_circle", { n = math.random() }) end,
}
