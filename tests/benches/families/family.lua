--- What the families `require` and `lrucache` use.
local lrucache = require "resty.lrucache"

local family = { cache = assert(lrucache.new(100)) }

function family.double(number)
  return number * 2
end

return family
