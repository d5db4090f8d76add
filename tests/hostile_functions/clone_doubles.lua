-- Clones that hold clones.
kept = {}
while true do kept[#kept + 1] = table.clone(kept) end
