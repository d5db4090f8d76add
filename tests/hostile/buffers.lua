local t = {} while true do local b = buffer.create(1e6) buffer.fill(b, 0, 1) t[#t + 1] = b
  pcall(buffer.fill, b, -1, 0) pcall(buffer.copy, b, 2^31, b) pcall(buffer.readstring, b, 0, 2^31) end
