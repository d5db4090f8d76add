//! The rows.

use super::Shape::{Choice, Count, Flag, Other, Size, Text, Texts, Time};
use super::{Setting, Shape, Table};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// All tables, in the order of the page.
pub const TABLES: &[&Table] = &[
    &ROOT,
    &LISTENER,
    &ADMIN,
    &LIMITS,
    &UPSTREAM,
    &PEER,
    &BALANCE,
    &HEALTH_CHECK,
    &LUA,
    &BUDGET,
    &RULES,
    &ACCESS_LOG,
    &LOG_TARGET,
    &ROUTE,
    &MATCH,
    &ROUTE_LUA,
    &HANDLERS,
    &HANDLER,
];

const fn row(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { name, shape, default, doc, example }
}

const ON_ERROR: Shape = Choice(&["refuse", "pass"]);
const ADDRESSES: &str = "an address, or a list of addresses or mappings";

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
            "rules",
            Other("a mapping"),
            "",
            "{ engine: on }",
            "The rule engine. Accepted and checked; used as soon as the engine is there.",
        ),
        row(
            "events",
            Text,
            "",
            "events.jsonl",
            "A file that gets one JSON line for each exchange that was refused or failed.",
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
            Text,
            "",
            "/var/lib/moongate",
            "Where the last good policy and spooled bodies are kept.",
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
            "init_by_lua_block",
            Text,
            "",
            "cache = require(\"cache\")",
            "A script that runs once for each policy, before it is in force.",
        ),
        row("init_by_lua_file", Text, "", "lua/init.lua", "The same, in a file."),
        row(
            "init_worker_by_lua_block",
            Text,
            "",
            "ngx.timer.every(60, refresh)",
            "A script that runs once for each worker thread and policy.",
        ),
        row("init_worker_by_lua_file", Text, "", "lua/init_worker.lua", "The same, in a file."),
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
            "Address and port: `0.0.0.0:8080`, `:8080`, `*:8080`, `[::1]:8080`.",
        ),
        row(
            "proxy_protocol",
            Flag,
            "false",
            "true",
            "Whether every connection begins with a PROXY protocol header (version 1 or 2).",
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
            Text,
            "",
            "/etc/moongate/token",
            "A file that holds the token, so that the settings can be shown around.",
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
        row("headers", Count(1, 250), "100", "100", "Fields in a request head."),
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
            "idle_time",
            Time(100, DAY),
            "60s",
            "60s",
            "How long a connection may wait for its next request.",
        ),
        row("body_time", Time(100, DAY), "120s", "120s", "How long a whole request body may take."),
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

/// One upstream.
pub static UPSTREAM: Table = Table {
    place: "upstreams.NAME",
    doc: "A named group of servers, where more than their addresses is to be said.",
    shared: None,
    rows: &[
        row(
            "peers",
            Other(ADDRESSES),
            "",
            "[127.0.0.1:3000, app.internal:3000]",
            "The servers; at least one.",
        ),
        row(
            "balance",
            Other("`round_robin`, `least_connections` or `{ consistent_hash: VARIABLE }`"),
            "round_robin",
            "least_connections",
            "How a peer is chosen.",
        ),
        row(
            "connect_timeout",
            Time(1, HOUR),
            "3s",
            "3s",
            "How long a peer may take to accept a connection.",
        ),
        row(
            "read_timeout",
            Time(1, DAY),
            "60s",
            "60s",
            "How long it may be silent between two reads.",
        ),
        row("write_timeout", Time(1, DAY), "60s", "60s", "How long each write may take."),
        row(
            "retries",
            Count(0, 10),
            "1",
            "1",
            "Tries after the first, of idempotent requests only.",
        ),
        row(
            "max_fails",
            Count(0, 1000),
            "3",
            "3",
            "Failures in a row after which a peer is left out; 0: never.",
        ),
        row("fail_time", Time(100, DAY), "10s", "10s", "For how long it is left out."),
        row(
            "health_check",
            Other("a mapping"),
            "",
            "{ path: /healthz }",
            "Asks peers how they are. Without it only failed requests are counted.",
        ),
        row(
            "keepalive",
            Count(0, 100_000),
            "128",
            "128",
            "Idle connections kept, for each worker.",
        ),
        row("keepalive_time", Time(100, DAY), "60s", "60s", "How long an idle connection is kept."),
        row(
            "host",
            Text,
            "",
            "app.internal",
            "What `Host` says to the upstream; without it what the client said.",
        ),
    ],
};

/// One peer.
pub static PEER: Table = Table {
    place: "upstreams.NAME.peers[]",
    doc: "One server, where more than its address is to be said.",
    shared: None,
    rows: &[
        row("address", Text, "", "127.0.0.1:3000", "Address or host name, and port."),
        row("weight", Count(1, 1000), "1", "2", "Its share."),
    ],
};

/// Balance with a key.
pub static BALANCE: Table = Table {
    place: "upstreams.NAME.balance",
    doc: "How a peer is chosen, where a key decides.",
    shared: None,
    rows: &[row(
        "consistent_hash",
        Text,
        "",
        "remote_addr",
        "The variable, as in `ngx.var`, by which a peer is chosen: the same value goes to the same peer.",
    )],
};

/// Active health checks.
pub static HEALTH_CHECK: Table = Table {
    place: "upstreams.NAME.health_check",
    doc: "Requests by which each peer is asked how it is.",
    shared: None,
    rows: &[
        row("path", Text, "/", "/healthz", "The path to ask for."),
        row("interval", Time(100, DAY), "5s", "5s", "How often."),
        row("timeout", Time(10, HOUR), "2s", "2s", "How long the answer may take."),
        row("rise", Count(1, 100), "2", "2", "Good answers in a row after which a peer is back."),
        row("fall", Count(1, 100), "3", "3", "Bad answers in a row after which it is out."),
        row(
            "status",
            Count(100, 599),
            "",
            "200",
            "The status that is good; without it 200 to 399.",
        ),
    ],
};

/// Scripts.
pub static LUA: Table = Table {
    place: "lua",
    doc: "What scripts find, and what they may cost.",
    shared: None,
    rows: &[
        row(
            "path",
            Texts,
            "lua/lib/?.lua;lua/lib/?/init.lua",
            "[lua/lib/?.lua]",
            "Where `require` looks: a list, or one text with `;` between; `?` stands for the module's name.",
        ),
        row(
            "modules",
            Texts,
            "lua/modules",
            "[lua/modules]",
            "Folders in which modules are looked for, before those that are built in.",
        ),
        row(
            "budget",
            Other("a mapping"),
            "",
            "{ cpu: 10ms, memory: 32MiB, wait: 5s }",
            "What one call may cost.",
        ),
        row(
            "on_error",
            ON_ERROR,
            "",
            "refuse",
            "What to do when a handler fails or its budget is spent. Without it: `refuse` in set, rewrite, access and content and for `modules:`; `pass` in the others.",
        ),
        row(
            "shared_dict",
            Other("a mapping of names to sizes"),
            "",
            "{ limits: 10MiB }",
            "Dictionaries that all workers share (`ngx.shared.NAME`), and their sizes.",
        ),
        row(
            "network",
            Texts,
            "",
            "[127.0.0.1:6379, 10.0.0.0/8:443]",
            "What scripts may connect to, as `host:port`, `address:port` or `network:port`; port `*` is any. Nothing unless it is named.",
        ),
        row(
            "max_timers",
            Count(0, 100_000),
            "256",
            "256",
            "Timers that may be pending at once, for each Lua state.",
        ),
        row(
            "error_status",
            Count(400, 599),
            "503",
            "503",
            "The client's status where a script failed and `on_error` is `refuse`.",
        ),
    ],
};

/// A call's budget.
pub static BUDGET: Table = Table {
    place: "budget",
    doc: "What one call of a script may cost: `lua.budget`, `routes[].lua.budget`, or a handler's own. What is not said here is as in the one around it.",
    shared: None,
    rows: &[
        row("cpu", Time(1, 60 * SECOND), "10ms", "10ms", "CPU time; waiting does not count."),
        row(
            "memory",
            Size(MIB, 16 * GIB),
            "32MiB",
            "32MiB",
            "Bytes of the Lua state in which it runs.",
        ),
        row("wait", Time(1, HOUR), "5s", "5s", "Wall time that it may spend waiting."),
        row("connections", Count(0, 10_000), "8", "8", "Connections that it may open."),
    ],
};

/// The rule engine.
pub static RULES: Table = Table {
    place: "rules",
    doc: "The rule engine.",
    shared: None,
    rows: &[
        row(
            "engine",
            Choice(&["on", "detect", "off"]),
            "on",
            "detect",
            "`on` refuses, `detect` only tells, `off` does neither.",
        ),
        row(
            "crs",
            Text,
            "",
            "/usr/share/modsecurity-crs",
            "The folder of the OWASP Core Rule Set.",
        ),
        row("files", Texts, "", "[rules/base/*.conf]", "Rule files."),
        row("paranoia", Count(1, 4), "1", "1", "The Core Rule Set's paranoia level."),
    ],
};

/// One access log.
pub static ACCESS_LOG: Table = Table {
    place: "access_log[]",
    doc: "One access log.",
    shared: None,
    rows: &[
        row("format", Choice(&["json", "combined"]), "json", "combined", "How a line looks."),
        row("to", Other("`stdout`, a path or a mapping"), "stdout", "stdout", "Where lines go."),
        row(
            "queue",
            Count(1, 1_000_000),
            "8192",
            "8192",
            "Lines that may wait to be written; what is more is dropped and counted.",
        ),
    ],
};

/// Where log lines go.
pub static LOG_TARGET: Table = Table {
    place: "access_log[].to",
    doc: "Where lines go: one of `file`, `http` and `syslog`.",
    shared: None,
    rows: &[
        row("file", Text, "", "/var/log/moongate/access.log", "A file; opened again on SIGUSR1."),
        row(
            "http",
            Text,
            "",
            "http://logs.internal:8088/lines",
            "Where lines are POSTed, separated by newlines.",
        ),
        row("batch", Count(1, 100_000), "500", "500", "Lines in one request at the most."),
        row("every", Time(10, HOUR), "1s", "1s", "How long a line may wait for others."),
        row(
            "syslog",
            Text,
            "",
            "udp://127.0.0.1:514",
            "`udp://host:port`, `tcp://host:port` or `unix:/dev/log`, in RFC 5424.",
        ),
    ],
};

/// One route.
pub static ROUTE: Table = Table {
    place: "routes[]",
    doc: "One route.",
    shared: Some(&HANDLERS),
    rows: &[
        row(
            "name",
            Text,
            "",
            "shop",
            "Its label in metrics and logs; without it its host and path.",
        ),
        row(
            "match",
            Other("a mapping"),
            "",
            "{ host: shop.example, path: /api/ }",
            "Which requests it serves; without it all.",
        ),
        row("upstream", Text, "", "app", "Where they go; without it the first upstream."),
        row(
            "dynamic_upstream",
            Other("`true`, `false` or a list of addresses"),
            "true",
            "[10.0.0.0/8:8080]",
            "Whether scripts may choose another declared upstream by its name; a list names what they may compute besides.",
        ),
        row("body_memory", Size(KIB, GIB), "", "64KiB", "As in `limits`, for this route."),
        row("body_total", Size(1, 1024 * GIB), "", "1GiB", "As in `limits`, for this route."),
        row("response_body", Size(KIB, GIB), "", "4MiB", "As in `limits`, for this route."),
        row(
            "body_filter_types",
            Texts,
            "",
            "[text/html]",
            "The MIME types of responses whose bodies are shown to `body_filter` handlers; without it all.",
        ),
        row(
            "lua",
            Other("a mapping"),
            "",
            "{ on_error: pass }",
            "What holds for this route's handlers that do not say otherwise.",
        ),
        row(
            "modules",
            Other("a list of handlers"),
            "",
            "[{ module: request_id }]",
            "Modules that run in every phase for which they have a handler.",
        ),
    ],
};

/// Which requests.
pub static MATCH: Table = Table {
    place: "routes[].match",
    doc: "Which requests a route serves; what is not said may be anything.",
    shared: None,
    rows: &[
        row(
            "host",
            Texts,
            "",
            "[shop.example, \"*.shop.example\"]",
            "One host name or a list; `*.name` is any name below.",
        ),
        row("path", Text, "", "/api/", "`/prefix`, `exact:/path` or `regex:…`."),
        row("method", Texts, "", "[GET, HEAD]", "One method or a list."),
    ],
};

/// What a route says of its scripts.
pub static ROUTE_LUA: Table = Table {
    place: "routes[].lua",
    doc: "What holds for a route's handlers that do not say otherwise.",
    shared: None,
    rows: &[
        row("on_error", ON_ERROR, "", "pass", "What to do when one fails or its budget is spent."),
        row("budget", Other("a mapping"), "", "{ cpu: 50ms }", "What one call may cost."),
    ],
};

macro_rules! handlers {
    ($($phase:literal $doc:literal $code:literal),* $(,)?) => {
        &[
            $(
                row($phase, Other("a list of handlers"), "", "[{ module: my_module }]", $doc),
                row(concat!($phase, "_by_lua_block"), Text, "", $code, "A script for this phase, after the modules."),
                row(concat!($phase, "_by_lua_file"), Text, "", concat!("lua/", $phase, ".lua"), "The same, in a file."),
            )*
            row("set", Other("a list of handlers"), "", "[{ module: my_module }]", "Modules for the phase in which variables are computed."),
            row("set_by_lua_block", Other("a mapping of variables to scripts"), "", "{ branch: \"return ngx.var.arg_v\" }", "Scripts whose results become variables."),
            row("set_by_lua_file", Other("a mapping of variables to files"), "", "{ branch: lua/branch.lua }", "The same, in files."),
        ]
    };
}

/// Handlers, which the whole file and each route have in common.
pub static HANDLERS: Table = Table {
    place: "handlers",
    doc: "Handlers by phase, at the top (every route, first) or in a route. Within a phase: modules in the order written, then the block, then the file.",
    shared: None,
    rows: handlers![
        "rewrite" "Modules for the phase in which the request may be changed, redirected or answered." "ngx.req.set_uri(\"/new\")",
        "access" "Modules for the phase in which a request is admitted or refused." "if ngx.var.arg_debug then return ngx.exit(403) end",
        "content" "Modules for the phase that answers instead of an upstream." "ngx.say(\"hello\")",
        "header_filter" "Modules for the response head." "ngx.header[\"Server\"] = nil",
        "body_filter" "Modules for the response body, chunk by chunk." "ngx.arg[1] = string.upper(ngx.arg[1])",
        "log" "Modules for the time after the last byte." "ngx.log(ngx.INFO, ngx.status)",
    ],
};

/// One module as attached.
pub static HANDLER: Table = Table {
    place: "handler",
    doc: "One module in a list of handlers; a name alone is `{ module: NAME }`.",
    shared: None,
    rows: &[
        row(
            "module",
            Text,
            "",
            "ip_admission",
            "Its name (`lua.modules`, then those built in), or a path that ends in `.lua`.",
        ),
        row(
            "with",
            Other("a mapping"),
            "",
            "{ deny_file: lists/deny.txt }",
            "Its settings, as it declares them.",
        ),
        row("on_error", ON_ERROR, "", "pass", "What to do when it fails or its budget is spent."),
        row("budget", Other("a mapping"), "", "{ cpu: 50ms }", "What one call may cost."),
        row(
            "domain",
            Text,
            "",
            "shop",
            "Handlers that name the same domain share a Lua state; without it each module has its own.",
        ),
    ],
};
