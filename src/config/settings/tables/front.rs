//! Rows of the file itself, and of who connects: `listen`, `admin`, `limits`.

use super::{ADDRESSES, DAY, GIB, HANDLERS, HOUR, KIB, MIB, row};
use crate::config::settings::Shape::{Choice, Count, Flag, Other, Path, Script, Size, Text, Time};
use crate::config::settings::Table;

/// How a change of the files comes in force.
pub static ROLLOUT: Table = Table {
    place: "rollout",
    doc: "How a change of the files comes in force: for a share of the clients first, judged by gates. What is written in the changed files holds. See [trying a version](rollouts.md#a-change-of-the-settings).",
    shared: None,
    rows: &[
        row(
            "canary",
            Text,
            "",
            "5%",
            "The share of the clients, always the same ones; it must be said.",
        ),
        row(
            "sticky",
            Text,
            "address",
            "cookie:sid",
            "What a client is known by: `address`, `cookie:NAME`, `header:NAME`.",
        ),
        row(
            "gates",
            Other("a mapping of gates"),
            "",
            "{ errors: 0.01, blocks: 0.05, window: 10m }",
            "What it must be like. `promote` is `true` here, unless it is said otherwise.",
        ),
    ],
};

/// The whole file.
pub static ROOT: Table = Table {
    place: "",
    doc: "The whole file. A key without a value counts as not written.",
    shared: Some(&HANDLERS),
    rows: &[
        row("listen", Other(ADDRESSES), "0.0.0.0:8080", "[0.0.0.0:8080]", "Where clients connect."),
        row(
            "admin",
            Other("an address or a mapping"),
            "127.0.0.1:9180",
            "127.0.0.1:9180",
            "Where operators and Prometheus connect. Anything but loopback wants a token.",
        ),
        row("workers", Count(0, 1024), "0", "4", "Worker threads; 0: one for each core."),
        row(
            "trusted_proxies",
            Other("a list of addresses and networks"),
            "",
            "[10.0.0.0/8, 127.0.0.1]",
            "Whose `X-Forwarded-For` is believed when the client's address is looked for.",
        ),
        row(
            "limits",
            Other("a mapping"),
            "",
            "{ head_time: 10s }",
            "What one client and one request may cost.",
        ),
        row(
            "upstreams",
            Other("a mapping of names"),
            "",
            "{ app: 127.0.0.1:3000 }",
            "Where requests go. A name stands for an address, a list of addresses or a mapping; the first is the default.",
        ),
        row(
            "lua",
            Other("a mapping"),
            "",
            "{ path: [lua/lib/?.lua] }",
            "What scripts find, and what they may cost.",
        ),
        row(
            "owners",
            Other("a mapping of names"),
            "",
            "{ team-a: { memory: 256MiB, routes: [/team-a] } }",
            "What owners of scripts may have, and where their functions serve.",
        ),
        row(
            "secrets",
            Other("a mapping of names"),
            "",
            "{ stripe: { file: /run/secrets/stripe, owners: [team-a] } }",
            "Where secrets are that scripts read by name, and to whom they are granted.",
        ),
        row(
            "rules",
            Other("a mapping"),
            "",
            "{ crs: /usr/share/modsecurity-crs }",
            "Rules that judge requests and responses, and what is done with what they find.",
        ),
        row(
            "events",
            Path,
            "",
            "events.jsonl",
            "A file that gets one JSON line for each exchange that was refused, failed or matched a rule.",
        ),
        row(
            "access_log",
            Other("`false`, `stdout`, a path, a mapping or a list of mappings"),
            "stdout",
            "{ format: json, to: stdout }",
            "One line for each request.",
        ),
        row(
            "state_dir",
            Path,
            "",
            "/var/lib/moongate",
            "Where the last good policy and spooled bodies are kept.",
        ),
        row(
            "body_files",
            Path,
            "",
            "/var/lib/moongate/bodies",
            "A folder in which spooled request bodies have names, for scripts that open them; without it they have none.",
        ),
        row(
            "rollout",
            Other("a mapping"),
            "",
            "{ canary: 5% }",
            "How a change of these files comes in force; without it for everybody at once.",
        ),
        row(
            "watch",
            Flag,
            "true",
            "true",
            "Whether a changed file is in force at once, without a signal.",
        ),
        row(
            "grace",
            Time(0, HOUR),
            "30s",
            "30s",
            "How long requests in flight may take to end when the process is told to stop.",
        ),
        row(
            "modules",
            Other("a list of handlers"),
            "",
            "[{ module: request_id }]",
            "Modules that run in every phase for which they have a handler, on every route.",
        ),
        row(
            "routes",
            Other("a list of mappings"),
            "",
            "[{ match: { path: /api/ }, upstream: app }]",
            "The first route that matches serves; where none does, or there is none, the first upstream.",
        ),
        row(
            "sites",
            Other("a list of mappings"),
            "",
            "[{ names: [shop.example], routes: [{ match: { path: /api/ } }] }]",
            "Sites, in the stead of `routes`: the best match serves, as in nginx.",
        ),
        row(
            "pages",
            Choice(&["plain", "html"]),
            "plain",
            "html",
            "How a status without a body of its own is shown: as text with the id of the request, or as nginx shows it.",
        ),
        row(
            "init_by_lua_block",
            Script,
            "",
            "cache = require(\"cache\")",
            "A script that runs once for each policy, before it is in force.",
        ),
        row("init_by_lua_file", Path, "", "lua/init.lua", "The same, in a file."),
        row(
            "init_worker_by_lua_block",
            Script,
            "",
            "ngx.timer.every(60, refresh)",
            "A script that runs once for each worker thread and policy.",
        ),
        row("init_worker_by_lua_file", Path, "", "lua/init_worker.lua", "The same, in a file."),
        row(
            "exit_worker_by_lua_block",
            Script,
            "",
            "ngx.log(ngx.NOTICE, \"worker \", ngx.worker.id(), \" ends\")",
            "A script that runs when a policy is no longer in force, or a worker thread ends.",
        ),
        row("exit_worker_by_lua_file", Path, "", "lua/exit_worker.lua", "The same, in a file."),
        row(
            "init",
            Other("a list of handlers"),
            "",
            "[warm_up]",
            "Modules whose `init` runs once for each policy, before it is in force.",
        ),
        row(
            "init_worker",
            Other("a list of handlers"),
            "",
            "[warm_up]",
            "Modules whose `init_worker` runs once for each worker thread and policy.",
        ),
        row(
            "exit_worker",
            Other("a list of handlers"),
            "",
            "[warm_up]",
            "Modules whose `exit_worker` runs when a policy is no longer in force, or a worker thread ends.",
        ),
    ],
};

/// One listening address.
pub static LISTENER: Table = Table {
    place: "listen[]",
    doc: "One listening address, where more than the address is to be said.",
    shared: None,
    rows: &[
        row(
            "address",
            Text,
            "",
            "0.0.0.0:8080",
            "Address and port: `0.0.0.0:8080`, `:8080`, `\"*:8080\"`, `\"[::1]:8080\"`; or `unix:/path`.",
        ),
        row(
            "proxy_protocol",
            Flag,
            "false",
            "true",
            "Whether every connection begins with a PROXY protocol header (version 1 or 2).",
        ),
        row(
            "tls",
            Other("a mapping"),
            "",
            "{ certificate: tls/shop.pem, key: tls/shop.key }",
            "That TLS is spoken there, and how; `{}` where the sites or scripts have the certificates.",
        ),
    ],
};

/// The admin address.
pub static ADMIN: Table = Table {
    place: "admin",
    doc: "The admin address, where more than the address is to be said.",
    shared: None,
    rows: &[
        row("address", Text, "127.0.0.1:9180", "127.0.0.1:9180", "Address and port."),
        row(
            "token",
            Text,
            "",
            "a-long-random-word",
            "What `Authorization: Bearer …` must say; at least 16 characters.",
        ),
        row(
            "token_file",
            Path,
            "",
            "/etc/moongate/token",
            "A file that holds the token, so that the settings can be shown around.",
        ),
        row(
            "tokens",
            Path,
            "",
            "tokens.yaml",
            "A file of [tokens](#tokens) with names, roles and owners; without it `tokens.yaml` in the state folder, if it is there. A change is in force with the next request.",
        ),
    ],
};

/// Limits.
pub static LIMITS: Table = Table {
    place: "limits",
    doc: "What one client and one request may cost.",
    shared: None,
    rows: &[
        row("connections", Count(1, 1_000_000), "10000", "10000", "Connections at once, in all."),
        row(
            "connections_per_client",
            Count(1, 1_000_000),
            "256",
            "256",
            "Connections at once of one client address.",
        ),
        row("head_bytes", Size(KIB, MIB), "32KiB", "32KiB", "Bytes of a request head."),
        row("headers", Count(1, 1000), "100", "100", "Fields in a request head."),
        row(
            "bare_line_feeds",
            Flag,
            "false",
            "true",
            "Whether lines of a request head may end without a carriage return, as nginx takes them.",
        ),
        row(
            "target_bytes",
            Size(64, MIB),
            "8KiB",
            "8KiB",
            "Bytes of the request target (path and query).",
        ),
        row(
            "head_time",
            Time(100, HOUR),
            "10s",
            "10s",
            "From the first byte of a head to its last.",
        ),
        row(
            "handshake_time",
            Time(100, HOUR),
            "10s",
            "10s",
            "How long the handshake of a connection with TLS may take, its scripts included.",
        ),
        row(
            "idle_time",
            Time(100, DAY),
            "60s",
            "60s",
            "How long a connection may wait for its next request.",
        ),
        row("body_time", Time(100, DAY), "120s", "120s", "How long a whole request body may take."),
        row(
            "body_pause",
            Time(1, DAY),
            "120s",
            "10s",
            "How long a client may pause while it sends a request body.",
        ),
        row(
            "write_time",
            Time(100, DAY),
            "60s",
            "60s",
            "How long a client may take to read what was written to it, for each write.",
        ),
        row(
            "requests_per_connection",
            Count(1, 1_000_000_000),
            "10000",
            "10000",
            "Requests on one connection.",
        ),
        row(
            "body_memory",
            Size(KIB, GIB),
            "1MiB",
            "1MiB",
            "Bytes of a request body held in memory; what is longer is spooled to disk.",
        ),
        row(
            "body_total",
            Size(1, 1024 * GIB),
            "100MiB",
            "100MiB",
            "Bytes of a request body in all; what is longer is refused with 413.",
        ),
        row(
            "response_body",
            Size(KIB, GIB),
            "1MiB",
            "1MiB",
            "Bytes of a response held for a handler that asks for the whole of it.",
        ),
    ],
};
