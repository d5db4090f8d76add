//! What the demo says when it stands: where it is, what to try, what to expect.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use serde_json::json;

use crate::server::Bound;

/// The secret in the demo's configuration, for tokens that open `/account`.
const JWT_SECRET: &str = "moongate-demo-secret-of-32-bytes";
const DAY_SECONDS: u64 = 86_400;

/// A request to try: what it shows, curl's arguments with `@` for the address, what comes back.
struct Trial {
    shows: &'static str,
    arguments: String,
    expect: &'static str,
}

/// Where everything is.
pub(super) struct Places<'a> {
    /// Moongate's addresses, as they were bound.
    pub(super) bound: &'a Bound,
    /// The shop itself.
    pub(super) shop: SocketAddr,
    /// The event log.
    pub(super) events: &'a Path,
}

/// The whole text; `moved`: the usual port was in use.
pub(super) fn text(places: &Places<'_>, moved: bool) -> String {
    let Places { bound, shop: bare, events } = places;
    let in_use = if moved { "  (the usual port is in use)" } else { "" };
    let shop = bound.listeners.first().map(SocketAddr::to_string).unwrap_or_default();
    let mut text = format!(
        "\nMoongate stands before a small shop that is vulnerable on purpose.\n  \
         shop     http://{shop}/{in_use}\n  \
         bare     http://{bare}/  (without Moongate, to compare)\n  \
         metrics  http://{}/metrics\n\nTry:\n",
        bound.admin
    );
    for trial in trials() {
        let _ = write!(
            text,
            "\n  # {}: {}\n  curl -i {}\n",
            trial.shows,
            trial.expect,
            trial.arguments.replace('@', &shop)
        );
    }
    let _ = write!(
        text,
        "\n  # what was refused, and which rules said so\n  tail {}\n\n  # what Prometheus would see of it\n  curl -s http://{}/metrics | grep '^moongate_requests'\n\n\
         Its configuration: moongate demo --print-config\nTo stop: Ctrl-C\n\n",
        events.display(),
        bound.admin
    );
    text
}

fn trials() -> Vec<Trial> {
    let trial =
        |shows, arguments: &str, expect| Trial { shows, arguments: arguments.to_owned(), expect };
    vec![
        trial("the shop, with security headers and a request id", "http://@/", "200"),
        trial("an address on the deny list", "-H 'X-Forwarded-For: 203.0.113.7' http://@/", "403"),
        trial(
            "an order, its card number masked on the way out",
            "http://@/api/orders/1",
            "200, rewritten",
        ),
        trial("the admin page without a key", "http://@/admin", "401"),
        trial("the admin page with one", "-H 'X-Api-Key: demo-key' http://@/admin", "200"),
        trial("staff only, by name and password", "-u rabbit:elixir http://@/staff", "200"),
        Trial {
            shows: "an account, by a signed token",
            arguments: format!("-H 'Authorization: Bearer {}' http://@/account", token()),
            expect: "200",
        },
        trial(
            "everybody's password, by SQL in the search",
            "\"http://@/search?q='+UNION+SELECT+name,password+FROM+users--\"",
            "403, by the base rules",
        ),
        trial(
            "a script in a comment, for the next visitor",
            "-d 'text=<script>alert(1)</script>' http://@/comment",
            "403, by the base rules",
        ),
        trial("an answer that Lua wrote", "http://@/hello", "200"),
        trial(
            "two lengths: which one the shop would believe, nobody knows",
            "-H 'Content-Length: 3' -H 'Content-Length: 4' -d abc http://@/comment",
            "400",
        ),
    ]
}

/// A token that opens `/account` for a day.
fn token() -> String {
    let claims = json!({ "sub": "chang-e", "exp": get_current_timestamp() + DAY_SECONDS });
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{JWT_SECRET, Places, text};
    use crate::cli::demo::CONFIGURATION;
    use crate::server::Bound;
    use std::path::Path;

    #[test]
    fn every_line_to_try_names_the_address_as_bound() {
        let bound = Bound {
            listeners: vec!["127.0.0.1:8081".parse().unwrap()],
            admin: "127.0.0.1:9181".parse().unwrap(),
        };
        let shop = "127.0.0.1:3000".parse().unwrap();
        let events = Path::new("/tmp/demo/events.jsonl");
        let text = text(&Places { bound: &bound, shop, events }, true);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("  curl -i")).collect();
        assert!(lines.len() >= 8, "{text}");
        assert!(lines.iter().all(|line| line.contains("http://127.0.0.1:8081/")), "{text}");
        assert!(text.contains("http://127.0.0.1:9181/metrics"), "{text}");
        assert!(text.contains("tail /tmp/demo/events.jsonl"), "{text}");
        assert!(text.contains("the usual port is in use"), "{text}");
    }

    #[test]
    fn the_password_is_the_configuration_s() {
        let hash = CONFIGURATION.lines().find_map(|line| line.trim().strip_prefix("rabbit: "));
        assert!(bcrypt::verify("elixir", hash.expect("rabbit is staff")).unwrap());
    }

    #[test]
    fn the_secret_is_the_configuration_s() {
        assert!(CONFIGURATION.contains(JWT_SECRET));
    }
}
