--- A client of MySQL's protocol, as small as can be: connect, one query, rows as lists of strings.
local bxor = bit32.bxor
local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat

local function number(text, at, size)
    local value = 0
    for index = size, 1, -1 do
        value = value * 256 + byte(text, at + index - 1)
    end
    return value, at + size
end

local function packet(sock)
    local head = assert(sock:receive(4))
    local size = number(head, 1, 3)
    return assert(sock:receive(size)), byte(head, 4)
end

local function send(sock, number, text)
    local size = #text
    return assert(sock:send({char(size % 256, math.floor(size / 256) % 256, math.floor(size / 65536), number), text}))
end

-- A number or a text whose length stands before it.
local function counted(text, at)
    local first = byte(text, at)
    if first < 251 then
        return first, at + 1
    elseif first == 252 then
        return number(text, at + 1, 2)
    end
    return number(text, at + 1, 3)
end

local function cell(text, at)
    if byte(text, at) == 251 then
        return false, at + 1
    end
    local size, from = counted(text, at)
    return sub(text, from, from + size - 1), from + size
end

local function token(password, salt)
    local once = ngx.sha1_bin(password)
    local both = ngx.sha1_bin(salt .. ngx.sha1_bin(once))
    local mixed = {}
    for index = 1, 20 do
        mixed[index] = char(bxor(byte(once, index), byte(both, index)))
    end
    return concat(mixed)
end

local mysql = {}

function mysql.connect(port, user, password)
    local sock = ngx.socket.tcp()
    sock:settimeout(5000)
    assert(sock:connect("127.0.0.1", port))
    if sock:getreusedtimes() > 0 then
        return sock
    end
    local hello = packet(sock)
    local ends = string.find(hello, "\0", 2, true)
    local salt = sub(hello, ends + 5, ends + 12) .. sub(hello, ends + 32, ends + 43)
    local flags = "\5\130\15\0" -- 4.1 protocol, secure connection, plugin
    send(sock, 1, flags .. "\0\0\0\1\45" .. string.rep("\0", 23) .. user .. "\0\20" .. token(password, salt) .. "mysql_native_password\0")
    local answer = packet(sock)
    assert(byte(answer) == 0, answer)
    return sock
end

function mysql.query(sock, text)
    send(sock, 0, "\3" .. text)
    local head = packet(sock)
    if byte(head) == 255 then
        return nil, sub(head, 10)
    elseif byte(head) == 0 then
        return {}
    end
    for _ = 1, counted(head, 1) do
        packet(sock)
    end
    packet(sock)
    local rows = {}
    while true do
        local row = packet(sock)
        if byte(row) == 254 and #row < 9 then
            return rows
        end
        local cells, at = {}, 1
        while at <= #row do
            cells[#cells + 1], at = cell(row, at)
        end
        rows[#rows + 1] = cells
    end
end

return mysql
