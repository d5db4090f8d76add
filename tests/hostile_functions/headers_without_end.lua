-- Fields without end.
local number = 0
while true do
    number = number + 1
    ngx.header["X-" .. number] = number
end
