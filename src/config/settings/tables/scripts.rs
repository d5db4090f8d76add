//! Rows of `lua` and of handlers.

use super::{DAY, GIB, HOUR, MIB, ON_ERROR, SECOND, row};
use crate::config::settings::Shape::{
    Choice, Count, Flag, Other, Path, Script, Size, Text, Texts, Time,
};
use crate::config::settings::Table;

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
            "What scripts may connect to, as `host:port`, `address:port`, `network:port`, `*.domain:port` or `unix:/path`; port `*` is any. Nothing unless it is named.",
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
        row(
            "load",
            Choice(&["at_once", "when_needed"]),
            "at_once",
            "when_needed",
            "When scripts are compiled: before the policy is in force (what does not compile refuses it), or when they are first called.",
        ),
        row(
            "variables",
            Texts,
            "",
            "[tenant]",
            "Variables that scripts may write besides those that are built in; without it all.",
        ),
        row("prefix", Text, "", "/srv/app/", "What `ngx.config.prefix()` says."),
        row(
            "code_cache",
            Flag,
            "true",
            "false",
            "Whether states are kept from one request to the next; `false` is for trying things.",
        ),
        row(
            "env",
            Texts,
            "",
            "[TZ, MODE=live]",
            "Variables of the environment that scripts which are not confined may see, or are told.",
        ),
        row(
            "regex_steps",
            Count(1, 10_000_000),
            "200000",
            "5000",
            "Steps that one search of a regex may take in `ngx.re` where it has to backtrack (`pcre_exec() failed: -8`).",
        ),
        row(
            "trim_after",
            Count(0, 1_000_000_000),
            "0",
            "1000",
            "Exchanges of a worker after which it gives free memory back to the system; 0: it does that by itself.",
        ),
        row(
            "confined",
            Flag,
            "true",
            "false",
            "Whether the operator's own `*_by_lua_*` scripts are confined. `false` is OpenResty's way: they share their globals, may change built-in tables, and have `io`, `os.execute` and their like.",
        ),
        row(
            "max_running_timers",
            Count(1, 100_000),
            "256",
            "256",
            "Timers that may run at once, for each Lua state.",
        ),
        row(
            "thread_pools",
            Other("a mapping of names to pools"),
            "",
            "{ hashing: { threads: 4 } }",
            "Threads that serve no requests, for `ngx.run_worker_thread`. `default` is always there.",
        ),
        row(
            "thread_pool_states",
            Count(1, 10_000),
            "100",
            "10",
            "Calls that may be under way in all pools together; each has a Lua state of its own.",
        ),
    ],
};

/// A pool of threads that serve no requests.
pub static THREAD_POOL: Table = Table {
    place: "lua.thread_pools.NAME",
    doc: "Threads on which scripts have things computed aside. They begin when there is work, and end when there is none.",
    shared: None,
    rows: &[
        row("threads", Count(1, 1_024), "32", "4", "Threads at the most."),
        row("queue", Count(1, 1_000_000), "65536", "100", "Calls that may wait for one."),
        row("cpu", Time(1, HOUR), "1m", "5s", "CPU time that one call may take."),
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

/// What a route says of its scripts.
pub static ROUTE_LUA: Table = Table {
    place: "routes[].lua",
    doc: "What holds for a route's handlers that do not say otherwise.",
    shared: None,
    rows: &[
        row("on_error", ON_ERROR, "", "pass", "What to do when one fails or its budget is spent."),
        row("budget", Other("a mapping"), "", "{ cpu: 50ms }", "What one call may cost."),
        row(
            "needs_body",
            Flag,
            "false",
            "true",
            "Whether the body is read before `rewrite` handlers run.",
        ),
        row(
            "watch_client",
            Flag,
            "false",
            "true",
            "Whether it is noticed that a client goes away (`ngx.on_abort`).",
        ),
        row(
            "use_default_type",
            Flag,
            "true",
            "false",
            "Whether what scripts answer without a type gets the route's `default_type`.",
        ),
        row(
            "underscores_to_dashes",
            Flag,
            "true",
            "false",
            "Whether `_` stands for `-` in names of `ngx.header`.",
        ),
        row(
            "log_socket_errors",
            Flag,
            "true",
            "false",
            "Whether failing sockets of scripts are told in the log.",
        ),
        row(
            "resolver",
            Texts,
            "[system]",
            "[10.0.0.2, ipv6=off]",
            "Who knows the addresses of names that sockets of scripts connect to: `system`, `none`, or servers, among which may stand `valid=10s`, `ipv4=off` and `ipv6=off`.",
        ),
        row(
            "resolver_timeout",
            Time(1, DAY),
            "30s",
            "5s",
            "How long such servers may take for a name.",
        ),
        row(
            "tcp_nodelay",
            Flag,
            "true",
            "false",
            "Whether what sockets of scripts send leaves at once, however short it is.",
        ),
        row(
            "buffers_http10",
            Flag,
            "true",
            "false",
            "Whether an answer to HTTP/1.0 is held until its length is known.",
        ),
        row(
            "connect_timeout",
            Time(1, DAY),
            "60s",
            "1s",
            "How long a socket of a script may take to connect.",
        ),
        row("send_timeout", Time(1, DAY), "60s", "1s", "How long each of its writes may take."),
        row(
            "pool_size",
            Count(1, 100_000),
            "30",
            "30",
            "Connections that a pool of kept ones holds.",
        ),
        row(
            "trusted_certificate",
            Path,
            "",
            "ca.pem",
            "The certificates that sockets trust; without it those that the system trusts.",
        ),
        row("read_timeout", Time(1, DAY), "60s", "1s", "How long each of its reads may take."),
        row("keepalive_timeout", Time(0, DAY), "60s", "10s", "How long it is kept for others."),
    ],
};

/// A script that has a name.
pub static SCRIPT: Table = Table {
    place: "script",
    doc: "A script in the place of its text alone, where it has a name of its own.",
    shared: None,
    rows: &[
        row("name", Text, "", "access of the shop", "What messages call it, before the line."),
        row("code", Script, "", "ngx.exit(403)", "The script; its first line is line 1."),
        row(
            "path",
            Path,
            "",
            "lua/$host.lua",
            "A file that is read when it is first called; its path may have variables.",
        ),
    ],
};

macro_rules! handlers {
    ($($phase:literal $doc:literal $code:literal),* $(,)?) => {
        &[
            $(
                row($phase, Other("a list of handlers"), "", "[{ module: my_module }]", $doc),
                row(concat!($phase, "_by_lua_block"), Script, "", $code, "A script for this phase, after the modules."),
                row(concat!($phase, "_by_lua_file"), Path, "", concat!("lua/", $phase, ".lua"), "The same, in a file."),
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
        "server_rewrite" "Modules of a site, for the phase before a route is looked for." "ngx.req.set_header(\"X-Site\", ngx.var.host)",
        "access" "Modules for the phase in which a request is admitted or refused." "if ngx.var.arg_debug then return ngx.exit(403) end",
        "precontent" "Modules for the phase after a request was admitted." "ngx.ctx.admitted = true",
        "content" "Modules for the phase that answers instead of an upstream." "ngx.say(\"hello\")",
        "header_filter" "Modules for the response head." "ngx.header[\"Server\"] = nil",
        "body_filter" "Modules for the response body, chunk by chunk." "ngx.arg[1] = string.upper(ngx.arg[1])",
        "log" "Modules for the time after the last byte." "ngx.log(ngx.INFO, ngx.status)",
        "ssl_client_hello" "Modules at the top or of a site, for when a client began a TLS handshake." "require(\"ngx.ssl.clienthello\").set_protocols({ \"TLSv1.3\" })",
        "ssl_certificate" "Modules at the top or of a site, for when a certificate is to be chosen for a TLS handshake." "require(\"ngx.ssl\").clear_certs()",
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
        row(
            "mode",
            Text,
            "enforce",
            "sample 5%",
            "How far it counts here: `enforce`; `shadow` runs it without effect and compares what it would have done; `sample 5%` does so for a share of the exchanges; `off` does not run it. See [trying a version](rollouts.md).",
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
        row(
            "owner",
            Text,
            "operator",
            "team-a",
            "Whose script it is: owners share no state, and take turns with each other for CPU time.",
        ),
    ],
};
