--- Signed tokens.  phase: access
local jwt = require "resty.jwt"
local token = jwt:sign("secret", {header = {typ = "JWT", alg = "HS256"}, payload = {sub = "anna", exp = ngx.time() + 60}})
local seen = jwt:verify("secret", token) same(seen.verified, true) same(seen.payload.sub, "anna") same(seen.reason, "everything is awesome~ :p")
seen = jwt:verify("wrong", token) same(seen.verified, false) same(string.find(seen.reason, "signature mismatch: ", 1, true), 1)
seen = jwt:verify("secret", "a.b") same(seen.valid, false) same(seen.reason, "invalid jwt string")
local old = jwt:sign("secret", {header = {alg = "HS512"}, payload = {exp = 1, iss = "me"}})
seen = jwt:verify("secret", old) same(seen.verified, false) same(string.find(seen.reason, "'exp' claim expired at ", 1, true), 1)
seen = jwt:verify("secret", old, {iss = require("resty.jwt-validators").equals("me")}) same(seen.verified, true)
seen = jwt:verify("secret", old, {aud = require("resty.jwt-validators").required()}) same(seen.reason, "'aud' claim is required.")
seen = jwt:verify("secret", old, {lifetime_grace_period = ngx.time() * 2, valid_issuers = {"you", "me"}}) same(seen.verified, true)
seen = jwt:verify(function(kid) return nil, "no key " .. tostring(kid.alg) end, token) same(seen.reason, "no key HS256")
local strict = jwt.new() strict:set_alg_whitelist({RS256 = 1}) seen = strict:verify("secret", token) same(seen.reason, "whitelist unsupported alg: HS256")
local none = jwt:jwt_encode({alg = "none"}) .. "." .. jwt:jwt_encode({sub = "root"}) .. "."
same(jwt:verify("secret", none).verified, false)
same(pcall(jwt.sign, jwt, "secret", {header = {alg = "none"}, payload = {}}), false)
-- A public key is not taken for an HMAC secret.
local pem = "-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n"
same(jwt:verify(pem, jwt:sign(pem, {header = {alg = "HS256"}, payload = {a = 1}})).verified, false)
