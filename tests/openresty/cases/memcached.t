=== a command that is not allowed is refused
--- config
    memc_cmds_allowed get;
    location /t {
        set $memc_cmd flush_all;
        memc_pass 127.0.0.1:1;
    }
--- request
GET /t
--- error_code: 403

=== a command that is none is a fault of who asks
--- config
    location /t {
        set $memc_cmd eat;
        memc_pass 127.0.0.1:1;
    }
--- request
GET /t
--- error_code: 400

=== a server that is not there
--- config
    location /t {
        set $memc_key a;
        memc_pass 127.0.0.1:1;
    }
--- request
GET /t
--- error_code: 502
--- error_log
while connecting to upstream
