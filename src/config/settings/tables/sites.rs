//! Rows of `sites`.

use super::{ADDRESSES, ROUTE, row};
use crate::config::settings::Shape::{Flag, Other, Texts};
use crate::config::settings::Table;

/// One site.
pub static SITE: Table = Table {
    place: "sites[]",
    doc: "One site: some hosts, and the routes among which the best match serves (an exact path, else the longest prefix, unless a pattern matches). What else is said of it serves what none of its routes does; its `steps` run before a route is looked for.",
    shared: Some(&ROUTE),
    rows: &[
        row(
            "listen",
            Other(ADDRESSES),
            "",
            "[0.0.0.0:8080]",
            "Where its clients connect, of the file's `listen`; without it wherever.",
        ),
        row(
            "tls",
            Other("a mapping"),
            "",
            "{ certificate: tls/shop.pem, key: tls/shop.key }",
            "How it speaks TLS where its addresses do: the keys of `listen[].tls`; without it as they do.",
        ),
        row(
            "default",
            Flag,
            "false",
            "true",
            "Whether it serves the hosts that no site names; without one the first.",
        ),
        row(
            "names",
            Texts,
            "",
            "[shop.example, \"*.shop.example\"]",
            "The hosts that it serves; `*.name`, `name.*` and `~pattern` too.",
        ),
        row(
            "routes",
            Other("a list of routes"),
            "",
            "[{ match: { path: /api/ } }]",
            "Its routes; each may have `routes` inside of it.",
        ),
    ],
};
