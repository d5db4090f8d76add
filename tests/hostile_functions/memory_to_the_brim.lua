-- Fills its memory and keeps it for the next call.
-- calls: 6
kept = kept or {}
return {
    content = function()
        while true do kept[#kept + 1] = ("x"):rep(10000) .. #kept end
    end,
}
