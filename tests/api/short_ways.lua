--- What is asked again, or in an odd way, is answered as it is at first.  phase: access
-- A number in the place of a text goes the long way.
same(ngx.md5("17"), ngx.md5(17)) same(ngx.crc32_short("17"), ngx.crc32_short(17))
same(ngx.sha1_bin("17"), ngx.sha1_bin(17)) same(ngx.hmac_sha1("1", "7"), ngx.hmac_sha1(1, 7))
same(ngx.escape_uri("1.5"), ngx.escape_uri(1.5)) same(ngx.encode_base64("17"), ngx.encode_base64(17))
same(ngx.md5("a\0b"), "70350f6027bce3713f6b76473084309b")
same(ngx.escape_uri("a b/é~'"), "a%20b%2F%C3%A9~'") same(ngx.unescape_uri("%e9%zz+%"), "\233%zz %")
same(ngx.decode_base64("YWI"), "ab") same(ngx.decode_base64("YWI="), "ab") same(ngx.decode_base64("Y"), nil)
same(ngx.decode_base64(ngx.encode_base64(("x"):rep(20000))), ("x"):rep(20000))
fails("string argument only", ngx.decode_base64, {})
-- Times, once and again in the same second; before 1970 and far away.
same(#ngx.localtime(), 19) same(ngx.utctime():sub(1, 16), ngx.utctime():sub(1, 16))
same(ngx.http_time(1290079655), "Thu, 18 Nov 2010 11:27:35 GMT") same(ngx.http_time(-1), "Thu, 01 Jan 1970 00:00:00 GMT")
same(ngx.http_time(951782400), "Tue, 29 Feb 2000 00:00:00 GMT") same(ngx.parse_http_time("x"), nil)
same(ngx.parse_http_time("Thu, 18 Nov 2010 11:27:35 GMT"), 1290079655)
-- Regexes, the second time that their text is there.
for _ = 1, 3 do
  local m = ngx.re.match("x 12-3", "(\\d+)-(\\d)(z)?", "jo") same(m[0], "12-3") same(m[1], "12") same(m[3], false) same(#m, 3)
  m = ngx.re.match("x 12", "(?<n>\\d+)", "jo") same(m.n, "12") same(m[1], "12")
  same(ngx.re.match("x", "(\\d+)-(\\d)(z)?", "jo"), nil)
  local from, to, err = ngx.re.find("héllo", "l+", "jo") same(from, 4) same(to, 5) same(err, nil)
  from, to = ngx.re.find("abc", "c()", "jo", nil, 1) same(from, 4) same(to, 3)
  same(ngx.re.find("x", "\\d"), nil)
  local text, count = ngx.re.gsub("a1b22", "([a-z])(\\d+)", "$2${1}$$", "jo") same(text, "1a$22b$") same(count, 2)
  text, count = ngx.re.gsub("abc", "", "-") same(text, "-a-b-c-") same(count, 4)
  text, count = ngx.re.gsub("a1b22", "\\d+", function(m) return m[0] * 2 end, "jo") same(text, "a2b44") same(count, 2)
  text, count = ngx.re.gsub("ab", "x*", function(m) return "<" .. m[0] .. ">" end) same(text, "<>a<>b<>") same(count, 3)
  local all = {}
  for m in ngx.re.gmatch("a, bb, ccc", "(\\w)\\w*", "jo") do all[#all + 1] = m[0] .. m[1] end
  same(table.concat(all, " "), "aa bbb cccc")
  all = 0
  for m in ngx.re.gmatch("éa", ".?", "u") do all = all + #m[0] end same(all, 3)
  for m in ngx.re.gmatch("ab", "x*") do all = all + 1 end same(all, 6)
  local one, two = ngx.re.gmatch("ab", "[a-d]"), ngx.re.gmatch("cd", "[a-d]")
  same(one()[0] .. two()[0] .. one()[0] .. two()[0], "acbd") same(one(), nil) same(two(), nil)
  local next = ngx.re.gmatch("a", "a") same(next()[0], "a") same(next(), nil) same(next(), nil)
end
fails("string or number expected", ngx.re.gsub, "a", "a", function() end)
fails("but got table", ngx.re.gsub, "ab", "[ab]", function(m) return m[0] == "a" and 1.5 or {} end)
-- More than is kept natively at a time, and a function that waits.
local long, replaced = ngx.re.gsub(("ab"):rep(600), "b", function(m) return ("<%s>"):rep(9):format("1", "2", 3, 4, 5, 6, 7, 8, 9) end, "jo")
same(#long, 600 * 28) same(replaced, 600) same(long:sub(-28), "a<1><2><3><4><5><6><7><8><9>") same(long:sub(1, 29), "a<1><2><3><4><5><6><7><8><9>a")
local waited = coroutine.wrap(function() return ngx.re.gsub("a1b2", "\\d", function(m) return coroutine.yield(m[0]) end, "jo") end)
same(waited(), "1") same(waited(10), "2") long, replaced = waited("x") same(long, "a10bx") same(replaced, 2)
for _, subject in ipairs { "", "aaa", ("a"):rep(3000) } do
  long, replaced = ngx.re.gsub(subject, "a", function() return "" end, "jo") same(long, "") same(replaced, #subject)
  long, replaced = ngx.re.gsub(subject, "$", function() return "!" end) same(long, subject .. "!") same(replaced, 1)
end
local none, err = ngx.re.gmatch("a", "(") same(none, nil) same(err:find("pcre_compile", 1, true), 1)
fails("boom", function() ngx.re.gsub("a", "a", function() error("boom") end) end)
-- Fields and arguments, with twins and without.
ngx.req.set_header("X-Twin", { "1", "2" }) local headers = ngx.req.get_headers() same(headers["x-twin"][2], "2")
ngx.req.clear_header("X-Twin") headers = ngx.req.get_headers() same(headers.x_twin, nil) same(headers["X-TWIN"], nil)
ngx.req.set_header("X-One", 7) headers = ngx.req.get_headers() same(headers["x-one"], "7") same(headers.X_One, "7")
for _ = 1, 3 do headers = ngx.req.get_headers() same(headers["X-oNe"], "7") same(headers.x_oNE, "7") same(headers["X-None"], nil) same(headers[("X"):rep(99)], nil) same(headers[1], nil) headers["x-one"] = "8" same(headers.X_One, "8") end
for place = 1, 300 do same(ngx.req.get_headers()["X_" .. place], nil) end same(headers.X_ONE, "8") same(headers.x_ONE, "8")
ngx.req.set_header("X-One", "a\r\nb") same(ngx.req.get_headers()["x-one"], "a%0D%0Ab")
ngx.header["X-A"] = "1" same(ngx.header.x_a, "1") ngx.header.x_a = { "1", "2" } same(ngx.header["x-a"][2], "2")
ngx.header["X-A"] = nil same(ngx.header["X-A"], nil) ngx.header["X-A"] = "a\nb" same(ngx.header["X-A"], "a%0Ab")
local args = ngx.decode_args("a=1&b=%20+&c&=x&d=") same(args.a, "1") same(args.b, "  ") same(args.c, true) same(args.d, "")
args = ngx.decode_args("a=1&a=2&b") same(args.a[2], "2") same(args.b, true)
-- A query that is split again and again, and another in between: each table is its caller's own.
for round = 1, 4 do
  args = ngx.decode_args("a=1&b=%20+&c&d=") same(args.a, "1") same(args.b, "  ") same(args.c, true) same(args.d, "") same(args.x, nil)
  args.a, args.x = nil, round if round == 3 then same(ngx.decode_args("a=2").a, "2") same(ngx.decode_args("a=2").b, nil) end
  args = ngx.req.get_uri_args() local again = ngx.req.get_uri_args() same(args == again, false) for key, value in pairs(args) do same(type(again[key]), type(value)) if type(value) ~= "table" then same(again[key], value) end end args.x = 1
  same(ngx.decode_args("a=1&a=2").a[2], "2") same(next(ngx.decode_args("")), nil)
end
same(ngx.encode_args({ ["a b"] = "1&2" }), "a%20b=1%262") same(ngx.encode_args({ a = true }), "a") same(ngx.encode_args({ a = false }), "")
same(ngx.encode_args({ a = { 1, "x" } }), "a=1&a=x") same(ngx.encode_args({ a = 1.5 }), "a=1.5")
fails("attempt to use function as query arg value", ngx.encode_args, { a = print })
-- `ngx.ctx`, kept and exchanged.
ngx.ctx.a = 1 same(ngx.ctx.a, 1) local ctx = ngx.ctx same(ctx, ngx.ctx) ngx.ctx = { b = 2 } same(ngx.ctx.a, nil) same(ngx.ctx.b, 2) same(ctx.a, 1)
for place = 0, 5 do same(ngx[place], nil) end
-- JSON, plain and not.
local cjson = require "cjson"
for _, text in ipairs { '{"a":[1,2.5,-3,{"b":null}],"c":"x\\ny"}', "[]", '"é"', " [ 1 , true ] ", "1e3", '"\\u00e9"', "-0.5", "0" } do
  local value = cjson.decode(text) same(cjson.encode({ value }), cjson.encode({ cjson.decode(" " .. text) }), text)
end
for _, text in ipairs { "[1,]", '{"a"}', "01", "1.", "[1] x", '"a', "tru", "{1:2}", "-", '"\1"' } do fails("Expected value but found invalid token", cjson.decode, text) end
same(cjson.encode({ 1, "a/b", true, { x = cjson.null } }), '[1,"a\\/b",true,{"x":null}]') same(cjson.encode({}), "{}") same(cjson.encode(cjson.empty_array), "[]")
same(cjson.encode({ [1] = 1, [3] = 3 }), "[1,null,3]") same(cjson.encode({ [2] = 1, x = 1 }):find('"2":1', 1, true) ~= nil, true) same(cjson.encode("\127\1"), '"\\u007f\\u0001"')
same(cjson.encode({ { { { { { 1 } } } } } }), "[[[[[[1]]]]]]") same(cjson.encode(-0.0), "-0") same(cjson.encode(1e20), "1e+20")
fails("must not be NaN or Infinity", cjson.encode, { 0 / 0 }) fails("type not supported", cjson.encode, { print })
-- A second argument goes the long way.
local function alike(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then same(a, b) return end
  for key, value in pairs(a) do alike(value, b[key]) end
  for key in pairs(b) do same(a[key] ~= nil, true) end
end
local item = '{"name":"paper \\"lantern\\"","quantity":%d,"price":%g,"gift":false,"":{"a":[],"b":[1,[2,{}]]}}'
for _, text in ipairs {
  '{"a":1,"a":2,"b":{"a":3,"a":null}}', '[[],{},[[]],{"":""}]', '{"ab":1,"ba":2,"aa":3,"bb":4,"a":5,"b":6}',
  "[" .. item:format(1, 0.1) .. "," .. item:format(-2, 12.75) .. "," .. item:format(3, 1e-3) .. "]",
  '{"' .. ("k"):rep(300) .. '":"' .. ("v"):rep(300) .. '"}', '["\\"\\\\\\/\\b\\f\\n\\r\\t","é\\né","' .. ("x"):rep(17) .. '\\n"]',
  "[" .. ("0,"):rep(70) .. "0]", "[-0,-1.5,123456789012345,1234567890123456,0.1,99.99,1E2,-1e-2]",
} do alike(cjson.decode(text), cjson.decode(text, 1)) end
same(1 / cjson.decode("-0"), -math.huge) same(#cjson.decode("[" .. ("0,"):rep(70) .. "0]"), 71) same(next(cjson.decode("{}")), nil)
local wide = {} for index = 1, 60 do wide[index] = '"key' .. index .. '":' .. index end
wide = cjson.decode("{" .. table.concat(wide, ",") .. "}") same(wide.key1 + wide.key60, 61)
-- Semaphores.
local semaphore = require("ngx.semaphore").new(1)
local ok, why = semaphore:wait(0) same(ok, true) ok, why = semaphore:wait(0) same(ok, nil) same(why, "timeout")
same(semaphore:post(2), true) same(semaphore:count(), 2) fails("positive number required", semaphore.post, semaphore, 0) fails("not a semaphore instance", semaphore.count, {})
fails("not a semaphore instance", semaphore.count, { false, semaphore[2] and ngx.null }) fails("no negative number", semaphore.wait, semaphore, -1)
-- Luau's own.
same(("a.b"):find(".", 1, true), 2) same(("key=value"):match("(%w+)=(%w+)"), "key") same(string.format("%s %d %s", "a", 3, nil), "a 3 nil")
fails("string.format", function() error("string.format") end) same(string.format("%5.1f|%-3s|%q", 1.25, "a", "b"), '  1.2|a  |"b"')
local list = { 3, 1, 2 } table.sort(list) same(table.concat(list), "123") list = { 3, 1, 2 } table.sort(list, function(a, b) return a > b end) same(table.concat(list), "321")
list = { "b", "a" } table.sort(list) same(list[1], "a") fails("compare", table.sort, { 1, "a" }) fails("table expected", table.sort, 1)
list = { 3, -1, 0, 1 / 0, -1 / 0, 0.5, -2.5, 1e300, 3 } table.sort(list) same(table.concat(list, " "), "-inf -2.5 -1 0 0.5 3 3 1e+300 inf")
fails("compare", table.sort, { 1, 2, "a" }) list = { 2, 1 } table.sort(list, nil) same(list[1], 1) table.sort({}) table.sort({ 1 }) fails("function expected", table.sort, list, 1)
same(table.concat({ 1, -2, 0.1, "x", 1e15, 2 ^ 53, -0.0, 1 / 0 }, ","), "1,-2,0.1,x,1000000000000000,9007199254740992,-0,inf") same(table.concat({ 1, 2, 3 }, "", 2, 3), "23") same(table.concat({ 7 }, nil), "7")
fails("invalid value", table.concat, { 1, {} }) fails("invalid value", table.concat, { 1, nil, 3 }, "", 1, 3) same(#table.concat((function() local t = {} for i = 1, 30000 do t[i] = i end return t end)(), ","), 168893)
same(("%d|%d|%d"):format(3.9, -3.9, 1e14), "3|-3|100000000000000") same(("%%%s%%"):format(1.5), "%1.5%") same(("%s"):format("a\0b"), "a\0b") same(("%d %s"):format("7", 7), "7 7") same(("x"):format(1, {}), "x")
fails("missing argument", string.format, "%s%d", "a") fails("missing argument", string.format, "%") fails("format", string.format, "%y", 1) fails("number expected", string.format, "%d", "a")
same(("ab"):rep(3), "ababab") same(("ab"):rep(0), "") same(("ab"):rep(-1), "") same(("ab"):rep(3, ","), "ab,ab,ab") fails("too large", string.rep, "x", 1e12) fails("rep", string.rep, nil, 1)
local through = coroutine.wrap(function() return (("a1b2"):gsub("%d", function(digit) return coroutine.yield(digit) end)) end) same(through(), "1") same(through("x"), "2") same(through("y"), "axby")
local sorting = coroutine.wrap(function() local l = { 2, 1 } table.sort(l, function(a, b) return coroutine.yield(a, b) end) return l[1] end) sorting() same(sorting(true) ~= nil, true)
fails("invalid replacement value", string.gsub, "a", "a", function() return {} end)
local words = {} for word in ("a b c"):gmatch("%a") do words[#words + 1] = word end same(#words, 3)
same((("a-b"):gsub("%-", "+")), "a+b") same((("abc"):gsub("%w", { a = 1 })), "1bc") same((("abc"):gsub("%w", "%0%0", 2)), "aabbc")
same(coroutine.wrap(function(...) return select("#", ...) + coroutine.yield(1) end)(), 1) fails("oops", coroutine.wrap(function() error("oops") end))
local body = coroutine.wrap(function() ngx.sleep(0) coroutine.yield(2) return 3 end) same(body(), 2) same(body(), 3)
