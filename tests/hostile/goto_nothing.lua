local f, e = loadstring("goto nowhere") assert(not f and e) while true do continue_ = 1 end
