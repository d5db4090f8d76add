//! Rows of `upstreams`.

use super::{ADDRESSES, DAY, HOUR, row};
use crate::config::settings::Shape::{Count, Flag, Other, Path, Script, Text, Time};
use crate::config::settings::Table;

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
        row(
            "tls",
            Other("a mapping, which may be empty"),
            "",
            "{ name: app.internal, ca: tls/internal.pem }",
            "That the peers are spoken to in TLS, and how.",
        ),
        row(
            "retry_on",
            Other("a list of statuses"),
            "[]",
            "[502, 503]",
            "Statuses after which an idempotent request is tried again, as if the peer had failed.",
        ),
        row(
            "balancer_by_lua_block",
            Script,
            "",
            "require(\"ngx.balancer\").set_current_peer(\"127.0.0.1\", 3000)",
            "A script that chooses the peer of each try, by the module `ngx.balancer`. It cannot wait.",
        ),
        row("balancer_by_lua_file", Path, "", "lua/balancer.lua", "The same, in a file."),
        row(
            "most_tries",
            Count(0, 1000),
            "0",
            "5",
            "Tries of a request at the most, however many more such a script wants; 0: as many as it wants.",
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

/// TLS to peers.
pub static UPSTREAM_TLS: Table = Table {
    place: "upstreams.NAME.tls",
    doc: "How the peers of an upstream are spoken to in TLS. Files are read again with the settings.",
    shared: None,
    rows: &[
        row(
            "name",
            Text,
            "",
            "app.internal",
            "The name that their certificates are for; without it a peer's own, as it is written in `peers`.",
        ),
        row("sni", Flag, "true", "false", "Whether they are told that name in the handshake."),
        row(
            "verify",
            Flag,
            "true",
            "false",
            "Whether their certificates must be valid, and signed by somebody who is trusted. Without it nobody knows who answers.",
        ),
        row(
            "ca",
            Path,
            "",
            "tls/internal.pem",
            "Who is trusted to sign them, in PEM; without it those whom the system trusts.",
        ),
        row(
            "certificate",
            Path,
            "",
            "tls/own.pem",
            "What peers are shown that ask who is there, in PEM.",
        ),
        row("key", Path, "", "tls/own.key", "Its private key, in PEM, without a passphrase."),
        row(
            "protocols",
            Other("`TLSv1.2`, `TLSv1.3` or a list of them"),
            "[TLSv1.2, TLSv1.3]",
            "[TLSv1.3]",
            "The versions that are spoken.",
        ),
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
