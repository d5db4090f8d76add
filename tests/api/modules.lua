--- What `require` finds without a file.  phase: access
local cjson = require "cjson"
local safe = require "cjson.safe"
same(cjson.encode({1, 2, {a = "b/\"\n\1"}}), [=[[1,2,{"a":"b\/\"\n\u0001"}]]=])
same(cjson.encode({}), "{}") same(cjson.encode(cjson.empty_array), "[]")
same(cjson.encode(setmetatable({}, cjson.array_mt)), "[]") same(cjson.encode(setmetatable({}, cjson.empty_array_mt)), "[]")
same(cjson.encode(cjson.null), "null") same(cjson.encode(ngx.null), "null") same(cjson.null, ngx.null)
same(cjson.encode(1.5), "1.5") same(cjson.encode(true), "true") same(cjson.encode({nil, 1}), "[null,1]")
same(cjson.encode({[1] = 1, a = 2}):sub(1, 1), "{")
local value = cjson.decode('{"a":[1,2.5,null,true,"\\u00e9"],"b":{}}')
same(value.a[2], 2.5) same(value.a[3], cjson.null) same(value.a[5], "é") same(next(value.b), nil)
fails("Expected value but found invalid token", cjson.decode, "{")
fails("Cannot serialise function: type not supported", cjson.encode, print)
fails("must not be NaN", cjson.encode, 0 / 0)
fails("excessively sparse array", cjson.encode, {[1000] = 1})
fails("table key must be a number or string", cjson.encode, {[true] = 1})
local deep = {} local inner = deep for _ = 1, 200 do inner[1] = {} inner = inner[1] end
fails("excessive depth", cjson.encode, deep)
fails("Found too many nested", cjson.decode, string.rep("[", 110) .. string.rep("]", 110))
local ok, err = safe.decode("{") same(ok, nil) same(type(err), "string")
ok, err = safe.encode(print) same(ok, nil) same(type(err), "string")
ok, err = safe.decode(nil) same(ok, nil)
same(safe.decode("[1]")[1], 1) same(cjson.new().encode({1}), "[1]")
local bit = require "bit"
same(bit.tobit(0xffffffff), -1) same(bit.tobit(0x100000000), 0) same(bit.tohex(-1), "ffffffff") same(bit.tohex(255, -4), "00FF")
same(bit.bnot(0), -1) same(bit.band(0xff, 0x0f, 0x3), 3) same(bit.bor(1, 2, 0x80000000), -2147483645) same(bit.bxor(5, 3), 6)
same(bit.lshift(1, 31), -2147483648) same(bit.rshift(-1, 28), 15) same(bit.arshift(-256, 4), -16)
same(bit.rol(0x12345678, 12), 0x45678123) same(bit.ror(0x12345678, 12), 0x67812345) same(bit.bswap(0x12345678), 0x78563412)
same(bit.lshift(1, 32), 1)
local new, clear, isempty = require "table.new", require "table.clear", require "table.isempty"
local nkeys, isarray, clone = require "table.nkeys", require "table.isarray", require "table.clone"
local t = new(4, 4) same(isempty(t), true)
t[1] = 1 t.a = 2 same(nkeys(t), 2) same(isarray(t), false) same(isarray({1, 2}), true)
local copy = clone(t) same(copy.a, 2) clear(t) same(isempty(t), true) same(copy.a, 2)
same(type(require "resty.core"), "table")
