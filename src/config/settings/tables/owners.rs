//! Rows of `owners` and `secrets`.

use super::{GIB, MIB, row};
use crate::config::settings::Shape::{Count, Path, Size, Text, Texts};
use crate::config::settings::Table;

/// What an owner may have.
pub static OWNER: Table = Table {
    place: "owners.NAME",
    doc: "What the scripts of an owner may have, all of them together. `owners.default` holds for owners that are not named, and for what those that are do not say. Nothing is kept from `operator`, but it may have bounds.",
    shared: None,
    rows: &[
        row(
            "weight",
            Count(1, 1000),
            "1",
            "2",
            "Turns that it gets where others with work to do get one.",
        ),
        row(
            "cpu_share",
            Count(1, 100),
            "",
            "25",
            "Per cent of each worker's CPU time in a second; past it new calls are refused, and those under way go on in the next. Without it: as much as is there.",
        ),
        row(
            "memory",
            Size(MIB, 1024 * GIB),
            "1GiB",
            "256MiB",
            "Bytes that its Lua states may hold on each worker; past it calls are refused.",
        ),
        row(
            "concurrent",
            Count(1, 1_000_000),
            "10000",
            "500",
            "Calls under way, on all workers together.",
        ),
        row(
            "connections",
            Count(0, 1_000_000),
            "1000",
            "50",
            "Connections that its scripts hold open, on all workers together.",
        ),
        row(
            "response",
            Size(1, 8 * MIB),
            "",
            "256KiB",
            "Bytes that a call of a function may answer, if it declares more.",
        ),
        row(
            "log_rate",
            Count(0, 10_000),
            "50",
            "10",
            "Lines of its scripts in the process's own log in a second; what is more is dropped, counted and told in one line.",
        ),
        row(
            "routes",
            Texts,
            "",
            "[/team-a, shop.example/cart]",
            "Paths beneath which its functions serve, each its own. Without it: wherever no other owner is.",
        ),
        row(
            "dictionaries",
            Texts,
            "",
            "[sessions]",
            "Shared dictionaries that its functions may declare.",
        ),
        row(
            "collections",
            Texts,
            "",
            "[partners]",
            "Collections that its functions may declare, of those that are granted to it. Without it: all of these.",
        ),
        row(
            "hosts",
            Texts,
            "",
            "[\"api.example:443\", \"*.partner.example:443\", \"10.0.0.0/8:*\"]",
            "Where its functions may declare to connect to. Without it: wherever they declare.",
        ),
    ],
};

/// Where a secret is.
pub static SECRET: Table = Table {
    place: "secrets.NAME",
    doc: "Where a secret is, by either key, and to whom it is granted; the operator's scripts may always read it (`waf.secret`). 64KiB at the most, without the line end at its end; a changed file is in force with the next policy. Its value is never written to a log.",
    shared: None,
    rows: &[
        row("file", Path, "", "/run/secrets/stripe", "A file that holds nothing else."),
        row("env", Text, "", "STRIPE_KEY", "A variable of the process's environment."),
        row("owners", Texts, "", "[team-a]", "Owners whose functions may declare it."),
    ],
};
