-- Takes the rules off that judge its own answer.
for _, attempt in ipairs({
    function() return waf.remove_rule("1-999999") end,
    function() return waf.remove_target("1-999999", "ARGS") end,
    function() return waf.tx("blocking_paranoia_level", "0") end,
    function() return waf.add_match(1, ("x"):rep(1000000), 1e308) end,
}) do
    for _ = 1, 1000 do pcall(attempt) end
end
ngx.say("done")
