--- Digests, ciphers and the like that `require` finds without a file.  phase: access
local hex = require("resty.string").to_hex
same(hex("\0\255a"), "00ff61") same(hex(""), "")
local atoi = require("resty.string").atoi
same(atoi("42"), 42) same(atoi("4x"), -1) same(atoi(""), -1) same(atoi(string.rep("9", 30)), -1)
for name, sum in pairs({
    md5 = "900150983cd24fb0d6963f7d28e17f72", sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
    sha224 = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
}) do
    local digest = require("resty." .. name):new()
    same(digest:update("a"), true) digest:update("bc") same(hex(digest:final()), sum, name)
    digest:reset() digest:update("abc") same(hex(digest:final()), sum, name)
end
local long = require("resty.sha512"):new() long:update("abc") same(#long:final(), 64)
same(#require("resty.sha384"):new():final(), 48)
local hmac = require "resty.hmac"
local mac = hmac:new("key", hmac.ALGOS.SHA256)
same(mac:update("The quick brown fox "), true)
same(mac:final("jumps over the lazy dog", true), "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
mac:reset() same(hex(mac:final("")), hex(hmac:new("key", hmac.ALGOS.SHA256):final()))
same(hmac:new("key", hmac.ALGOS.SHA1):final("x", true), hex(ngx.hmac_sha1("key", "x")))
same(#hmac:new(string.rep("k", 200), hmac.ALGOS.SHA512):final("x"), 64)

-- What OpenSSL makes of the same: enc -aes-128-cbc -nosalt -md md5 -k secret.
local aes = require "resty.aes"
local box = aes:new("secret")
same(box:decrypt(box:encrypt("hello")), "hello")
local sealed = aes:new("0123456789abcdef", nil, aes.cipher(128, "cbc"), {iv = "fedcba9876543210"}):encrypt("hello")
same(hex(sealed), "7bedceb0655f38941069789f36462091", "cbc") -- checked with OpenSSL
local clear, err = aes:new("secret", "short") same(clear, nil) same(err, "salt must be 8 characters or nil")
clear, err = aes:new("key", nil, aes.cipher(256), {iv = "x"}) same(err, "bad key length")
clear, err = aes:new("key", nil, aes.cipher(), {}) same(err, "iv is needed")
same(aes.cipher(100), nil) same(aes.cipher(128, "xts"), nil)
for _, mode in ipairs({"cbc", "ecb", "ctr", "cfb", "ofb"}) do
    for _, size in ipairs({128, 192, 256}) do
        local both = aes:new("k", "saltsalt", aes.cipher(size, mode), aes.hash.sha256, 3)
        local text = string.rep("moongate ", 9)
        same(both:decrypt(both:encrypt(text)), text, mode .. size)
    end
end
clear, err = box:decrypt("no whole block") same(clear, nil) same(err, "EVP_DecryptFinal_ex failed")
local gcm = aes:new("0123456789abcdef", nil, aes.cipher(128, "gcm"), {iv = "123456789012"})
local parts = gcm:encrypt("hello", "besides")
same(#parts[2], 16) same(gcm:decrypt(parts[1], parts[2], "besides"), "hello")
clear, err = gcm:decrypt(parts[1], parts[2], "other") same(clear, nil) same(err, "EVP_DecryptFinal_ex failed")

local random = require "resty.random"
same(#random.bytes(16), 16) same(random.bytes(16) == random.bytes(16, true), false)
local url = require "ngx.base64"
same(url.encode_base64url("\255\254\253?"), "__79Pw") same(url.decode_base64url("__79Pw"), "\255\254\253?")
clear, err = url.decode_base64url("a\1b") same(clear, nil) same(err, "invalid input")
clear, err = url.encode_base64url(1) same(err, "must provide a string")

local split = require("ngx.re").split
local function cut(...) return table.concat(assert(split(...)), "|") end
same(cut("a,b,c,d", ","), "a|b|c|d") same(cut("a,b;c", "([,;])"), "a|,|b|;|c")
same(cut("abcd", ""), "a|b|c|d") same(cut("a,b,c,,", ","), "a|b|c") same(cut("a,b,c,,", ",", nil, nil, 3), "a|b|c,,")
same(cut(",a", ","), "|a") same(cut("a b", ",", "jo"), "a b") same(cut("a,b,c", ",", nil, {pos = 3}), "b|c")
clear, err = split("a", "(") same(clear, nil) same(type(err), "string")
fails("res is not a table", split, "a", "b", nil, nil, nil, 1) fails("unrecognized option name", require("ngx.re").opt, "x")
same(require("ngx.process").type(), "worker") same(require("ngx.process").get_master_pid(), ngx.worker.pid())
local errlog = require "ngx.errlog" errlog.raw_log(ngx.NOTICE, "raw")
clear, err = errlog.get_logs() same(clear, nil) same(err, 'directive "lua_capture_error_log" is not set')
fails("must be a string", errlog.raw_log, ngx.ERR) fails("bad log level", errlog.raw_log, 99, "x")

local buffer = require("string.buffer").new(10)
buffer:put("ab", 1, "c"):putf("%d", 7) same(#buffer, 5) same(tostring(buffer), "ab1c7") same(buffer .. "!", "ab1c7!")
same(buffer:get(2), "ab") same(buffer:skip(1):tostring(), "c7") same(#buffer, 2)
local one, two = buffer:put("xyz"):get(1, 3) same(one, "c") same(two, "7xy") same(buffer:get(), "z") same(buffer:get(), "")
buffer:set("new") same(buffer:tostring(), "new") same(#buffer:reset(), 0)
fails("string expected, got nil", buffer.put, buffer, nil) fails("cjson", require("string.buffer").encode, {})

for _, name in ipairs({"resty.lrucache", "resty.lrucache.pureffi"}) do
    local cache = require(name).new(2)
    cache:set("a", 1) cache:set("b", 2, nil, 5) same(cache:get("a"), 1)
    cache:set("c", 3) same(cache:get("b"), nil, "b was used last of all") same(cache:count(), 2) same(cache:capacity(), 2)
    same(table.concat(cache:get_keys(), ","), "c,a") same(cache:delete("a"), true) same(cache:delete("a"), false)
    cache:set("t", 9, 0.001, 7) ngx.sleep(0.02)
    local value, stale, flags = cache:get("t") same(value, nil) same(stale, 9) same(flags, 7)
    cache:flush_all() same(cache:count(), 0) same(cache:get("c"), nil)
end
clear, err = require("resty.lrucache").new(0) same(err, "size too small")
