//! Rows of `access_log` and `routes`.

use super::{DAY, GIB, HANDLERS, HOUR, KIB, row};
use crate::config::settings::Shape::{Choice, Count, Flag, Other, Path, Size, Text, Texts, Time};
use crate::config::settings::Table;

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
        row("file", Path, "", "/var/log/moongate/access.log", "A file; opened again on SIGUSR1."),
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
        row(
            "internal",
            Flag,
            "false",
            "true",
            "Whether it serves only what comes from within: subrequests and internal redirects; clients get 404. A route whose name begins with `@` serves what scripts send there by that name, and nothing else.",
        ),
        row("upstream", Text, "", "app", "Where they go; without it the first upstream."),
        row(
            "dynamic_upstream",
            Other("`true`, `false` or a list of addresses"),
            "true",
            "[10.0.0.0/8:8080]",
            "Whether scripts may choose another declared upstream by its name; a list names what they may compute besides.",
        ),
        row("default_type", Text, "", "text/html", "The type of what says none itself."),
        row(
            "idle_time",
            Time(1, DAY),
            "",
            "10s",
            "How long a connection may wait for its next request after one of this route; without it as `limits.idle_time` says.",
        ),
        row(
            "requests_per_connection",
            Count(1, 1_000_000_000),
            "",
            "100",
            "The connection ends with a request of this route from so many on.",
        ),
        row(
            "if_modified_since",
            Choice(&["exact", "before", "off"]),
            "exact",
            "before",
            "Which `If-Modified-Since` an answer is not newer than: the same time, the same or a later one, or none.",
        ),
        row(
            "steps",
            Other("a list of steps"),
            "",
            "[{ set: [branch, $arg_v] }]",
            "What is done before `rewrite` handlers run, in this order: `set`, `rewrite`, `return`, `if`, `break`, `script`, `enter`.",
        ),
        row(
            "admission",
            Other("a list of `allow` and `deny`"),
            "",
            "[{ allow: 10.0.0.0/8 }, { deny: all }]",
            "Who is admitted: the first that names the client decides.",
        ),
        row(
            "satisfy",
            Choice(&["all", "any"]),
            "all",
            "any",
            "Whether `admission`, `auth_request` and `access` handlers must all admit, or one of them.",
        ),
        row(
            "auth_request",
            Other("a mapping"),
            "",
            "{ path: /auth, set: [[user, \"$sent_http_x_user\"]] }",
            "A path whose route is asked whether a request is admitted: 2xx admits, 401 and 403 refuse; then these variables are set.",
        ),
        row(
            "server",
            Text,
            "",
            "nginx",
            "What the field `Server` says; then fields stand in nginx's order.",
        ),
        row("root", Path, "", "/srv/www", "The folder that `$document_root` names."),
        row(
            "files",
            Other("a mapping"),
            "",
            "{ root: /srv/www, index: [index.html] }",
            "Files that answer.",
        ),
        row(
            "forward",
            Other("a mapping"),
            "",
            "{ replace: [/api, /], headers: [[Host, $host]] }",
            "What the upstream gets.",
        ),
        row(
            "error_pages",
            Other("a list of mappings"),
            "",
            "[{ status: [502], to: /sorry.html }]",
            "What answers instead of a status: a path, a route's name, or an address.",
        ),
        row(
            "response_headers",
            Other("a list of mappings"),
            "",
            "[{ add: X-Frame-Options, value: DENY }]",
            "Changes of the response's head: `add`, `set`, `clear`.",
        ),
        row("routes", Other("a list of routes"), "", "[]", "In a site: routes inside of this one."),
        row("body_memory", Size(0, GIB), "", "64KiB", "As in `limits`, for this route."),
        row("body_total", Size(1, 1024 * GIB), "", "1GiB", "As in `limits`, for this route."),
        row("body_pause", Time(1, DAY), "", "10s", "As in `limits`, for this route."),
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
        row(
            "rules",
            Other("a mapping"),
            "",
            "{ engine: detect }",
            "As the file's `rules`, for this route. What it does not say is as there; `crs` or `files` take the place of both; exclusions are added.",
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
