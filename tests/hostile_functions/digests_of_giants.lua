-- Digests and codes of megabytes, again and again.
local giant = ("\255"):rep(3000000)
for _ = 1, 1000 do
    ngx.md5(giant) ngx.sha1_bin(giant) ngx.crc32_long(giant) ngx.hmac_sha1("k", giant)
    ngx.encode_base64(giant) ngx.escape_uri(giant) ngx.quote_sql_str(giant)
end
