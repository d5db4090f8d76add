//! The index and `docs/admin-api.md`, from the table of endpoints.

use std::fmt::Write as _;

use super::table::{ENDPOINTS, Endpoint, Scope};

/// What `GET /` says.
pub(super) fn index() -> String {
    let mut text = "moongate admin\n\n".to_owned();
    for Endpoint { method, pattern, role, help, scope, .. } in ENDPOINTS {
        let wanted = if *scope == Scope::Public { "-" } else { role.as_str() };
        let _ = writeln!(text, "{method:6} {pattern:40} {wanted:8} {help}");
    }
    text
}

/// The whole page, as `docs/admin-api.md` holds it.
pub fn admin_page() -> String {
    let mut page = String::from(HEAD);
    for endpoint in ENDPOINTS {
        let Endpoint { method, pattern, help, .. } = endpoint;
        let (role, whose) = wanted(endpoint);
        let _ = writeln!(page, "| `{method} {pattern}` | {role} | {whose} | {help} |");
    }
    page.push_str(TAIL);
    page
}

fn wanted(endpoint: &Endpoint) -> (&'static str, &'static str) {
    let role = endpoint.role.as_str();
    match endpoint.scope {
        Scope::Everybody => (role, "any token"),
        Scope::Node => (role, "tokens without owner"),
        Scope::Owner => (role, "the owner's things"),
        Scope::Public => ("none", "no token needed"),
    }
}

const HEAD: &str = "\
<!-- Written by `moongate docs` from src/admin/table.rs; changes belong there. -->
# The admin API

HTTP/1.1 on the address `admin` ([settings](settings.md#admin)). GET answers HEAD too.

| request | role | who | what it is for |
| --- | --- | --- | --- |
";

const TAIL: &str = "
## Who may ask

A token comes as `Authorization: Bearer …`. Its role is one of `read`, `publish`, `activate` and
`admin`; each includes those before it. A token with an owner may only touch things of that owner.
`moongate tokens add` makes one, [security](security.md#the-admin-address) tells how they are kept.
Without any token, only GET from loopback is answered.

## What is answered

What cannot be done is answered with JSON: `error` says what is wrong, `help` the next step, and
`report` shows faults in a text line by line.

| status | when |
| --- | --- |
| 400 | a query, path or body cannot be read |
| 401 | no token, or one that is not known or has expired |
| 403 | the token's role or owner does not allow it; or there are no tokens, and this changes something |
| 404 | there is nothing of that name |
| 405 | the path knows other methods: `Allow` names them |
| 409 | it contradicts what is there |
| 412 | `If-Match` or `If-None-Match` does not hold |
| 413 | the body is longer than the endpoint takes: 16 MiB where nothing else is said |
| 414 | the target is longer than 16 KiB |
| 422 | what was sent can be read, and is at fault |
| 429 | too many failures from this address: `Retry-After` says how many seconds to wait |
| 503 | it stops, or the audit log cannot be written |
";
