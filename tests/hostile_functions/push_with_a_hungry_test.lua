-- A test that takes all memory, and connects.
-- refused: push_with_a_hungry_test
return {
    declares = { hosts = { "127.0.0.1:@CANARY@" } },
    content = function() end,
    test = function(t)
        assert(not ngx.socket.tcp():connect("127.0.0.1", @CANARY@), "BROKEN")
        local all = {}
        while true do all[#all + 1] = ("x"):rep(100000) .. #all end
    end,
}
