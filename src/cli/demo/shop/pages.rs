//! What the shop shows. Every hole is deliberate and says what it is.

use serde_json::json;

use super::http::{Request, Response};
use super::sql;

/// How many comments are kept; the oldest goes first.
const COMMENTS: usize = 20;

const STYLE: &str = "body{font:16px/1.6 Georgia,serif;max-width:40rem;margin:3rem auto;padding:0 1rem;\
color:#2b2b2b;background:#fbf8f1}h1{font-weight:normal}h1 a{color:inherit;text-decoration:none}\
nav a{margin-right:1rem}a{color:#7a4b1e}input{font:inherit;padding:.2rem .5rem}\
td{padding:.1rem 1.5rem .1rem 0}footer{margin-top:3rem;color:#999;font-size:.8rem}";

/// Files that `/download` offers, and two that it should not.
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1000::/srv/shop:/bin/false\n"),
    ("srv/shop/files/catalogue.txt", "Paper lantern 12\nMoon cake 4\nStone rabbit 31\n"),
    ("srv/shop/files/opening-hours.txt", "From moonrise to moonset.\n"),
    ("srv/shop/secret.env", "PAYMENT_KEY=not-a-real-one\n"),
];
const DOWNLOADS: &str = "srv/shop/files";

/// What a request gets.
pub(super) enum Page {
    /// An answer, at once.
    Whole(Response),
    /// An answer, after a while.
    Late,
    /// An answer that goes on.
    Events,
}

/// What the shop remembers.
#[derive(Debug, Default)]
pub(super) struct Shop {
    comments: Vec<String>,
}

impl Shop {
    pub(super) fn page(&mut self, request: &Request) -> Page {
        Page::Whole(match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "HEAD", "/") => self.front(),
            ("GET", "/slow") => return Page::Late,
            ("GET", "/events") => return Page::Events,
            ("GET", "/search") => search(&request.argument("q")),
            ("GET", "/login") => Response::html(200, layout("Log in", LOGIN_FORM)),
            ("POST", "/login") => login(&request.argument("name"), &request.argument("password")),
            ("POST", "/comment") => self.comment(request.argument("text")),
            ("GET", "/download") => download(&request.argument("file")),
            ("GET", "/api/items") => items(),
            ("POST", "/api/items") => add_item(&request.body),
            ("GET", path) if path.starts_with("/api/orders/") => order(path),
            ("GET", "/health") => Response::text(200, "open\n"),
            ("GET", "/admin" | "/account" | "/staff") => back_room(request),
            _ => Response::html(404, layout("Nothing here", "<p>Try <a href=/>the front</a>.</p>")),
        })
    }

    fn front(&self) -> Response {
        // Hole: stored cross-site scripting, comments are shown as they were typed.
        let comments = self.comments.join("<li>");
        let body = format!(
            "<form action=/search><input name=q placeholder='moon cake'> <button>Search</button></form>\
             <p><a href='/download?file=catalogue.txt'>Catalogue</a> \
             <a href='/download?file=opening-hours.txt'>Opening hours</a></p>\
             <h2>What visitors say</h2><ul><li>{comments}</ul>\
             <form method=post action=/comment><input name=text> <button>Say it</button></form>"
        );
        Response::html(200, layout("The Moon Shop", &body))
    }

    fn comment(&mut self, text: String) -> Response {
        if self.comments.len() == COMMENTS {
            self.comments.remove(0);
        }
        self.comments.push(text);
        Response::html(
            200,
            layout("Thank you", "<p>Your words stand on <a href=/>the front</a>.</p>"),
        )
    }
}

const LOGIN_FORM: &str = "<form method=post><input name=name placeholder=chang-e> \
<input name=password type=password> <button>Enter</button></form>";

fn layout(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>\
         <h1><a href=/>☾</a> {title}</h1><nav><a href=/login>Log in</a><a href=/api/items>Items</a>\
         <a href=/api/orders/1>Order 1</a><a href=/admin>Admin</a><a href=/staff>Staff</a></nav>{body}\
         <footer>A demo, vulnerable on purpose.</footer></html>\n"
    )
}

/// Holes: reflected cross-site scripting, SQL injection, and the database's own words in the error.
fn search(words: &str) -> Response {
    let found = sql::query(&format!(
        "SELECT name, price FROM items WHERE name LIKE '%{words}%' AND hidden = 0"
    ));
    let rows = match found {
        Err(message) => return Response::html(500, layout("Database error", &message)),
        Ok(rows) => rows.into_iter().map(|row| format!("<tr><td>{}</tr>", row.join("<td>"))),
    };
    let body =
        format!("<p>You searched for: {words}</p><table>{}</table>", rows.collect::<String>());
    Response::html(200, layout("Search", &body))
}

/// Hole: SQL injection in a form.
fn login(name: &str, password: &str) -> Response {
    let found = sql::query(&format!(
        "SELECT name FROM users WHERE name = '{name}' AND password = '{password}'"
    ));
    match found.as_deref() {
        Err(message) => Response::html(500, layout("Database error", message)),
        Ok([row, ..]) => Response::html(200, layout("Welcome", &row.join(" "))),
        Ok([]) => Response::html(401, layout("Log in", &format!("<p>Not so.</p>{LOGIN_FORM}"))),
    }
}

/// Hole: path traversal.
fn download(file: &str) -> Response {
    let path = resolved(&format!("{DOWNLOADS}/{file}"));
    match FILES.iter().find(|(known, _)| *known == path) {
        Some((_, text)) => Response::text(200, *text),
        None => Response::text(404, format!("no such file: /{path}\n")),
    }
}

/// As a file system reads it: `..` goes one up, and at the top stays there.
fn resolved(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn items() -> Response {
    let rows = sql::query("SELECT id, name, price FROM items WHERE hidden = 0").unwrap_or_default();
    Response::json(200, &json!(rows))
}

fn add_item(body: &str) -> Response {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(item) => Response::json(201, &json!({ "added": item })),
        Err(error) => Response::json(400, &json!({ "error": error.to_string() })),
    }
}

/// Holes: anybody may read anybody's order, and it shows a whole card number.
fn order(path: &str) -> Response {
    match path.rsplit('/').next() {
        Some("1") => Response::json(
            200,
            &json!({ "order": 1, "buyer": "chang-e", "item": "Moon cake", "card": "4111 1111 1111 1111" }),
        ),
        Some("2") => Response::json(
            200,
            &json!({ "order": 2, "buyer": "hou-yi", "item": "Paper lantern", "card": "5500-0000-0000-0004" }),
        ),
        _ => Response::json(404, &json!({ "error": "no such order" })),
    }
}

/// Hole: the shop itself asks nobody who they are; what stands before it must.
fn back_room(request: &Request) -> Response {
    Response::text(
        200,
        format!(
            "the back room: {}\nrequest id: {}\nconsumer: {}\nstaff: {}\nvisitor: {}\n",
            request.path,
            request.field("x-request-id"),
            request.field("x-consumer"),
            request.field("x-remote-user"),
            request.field("x-user"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::{download, resolved, search};

    #[test]
    fn the_holes_are_real() {
        assert!(search("<script>alert(1)</script>").body.contains("<script>alert(1)</script>"));
        assert!(search("' OR '1'='1' --").body.contains("Next year"));
        assert!(download("../../../etc/passwd").body.starts_with("root:"));
    }

    #[test]
    fn two_dots_at_the_top_stay_there() {
        assert_eq!(resolved("a/../../../etc/./passwd"), "etc/passwd");
    }

    #[test]
    fn what_is_meant_to_be_downloaded_can_be() {
        assert_eq!(download("opening-hours.txt").body, "From moonrise to moonset.\n");
    }
}
