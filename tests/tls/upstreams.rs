//! TLS to upstreams: whom to believe, what is shown, connections that are kept.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::{Workshop, handshakes, with};
use crate::support::{Builder, DEADLINE, Moongate, command, wait_until};

/// An upstream of ours with TLS: it says who asked, by which connection, and how long the body was.
const BEHIND: &str = "\
content_by_lua_block: |
  local v = ngx.var
  ngx.req.read_body()
  local length = #(ngx.req.get_body_data() or '')
  if v.uri == '/sized' then ngx.header.content_length = 100000 return ngx.print(('s'):rep(100000)) end
  ngx.say(v.ssl_server_name or 'unnamed', ' ', v.ssl_client_s_dn or 'nobody')
  if v.uri == '/chunks' then for i = 1, 3 do ngx.flush(true) ngx.say(('c'):rep(30000)) end end
  ngx.say(v.connection, ' ', length)
";

fn behind(tls: &str) -> String {
    format!("listen: [{{ address: 127.0.0.1:0, tls: {tls} }}]\n{BEHIND}")
}

/// A Moongate that asks the peer with these settings of `tls`.
fn before(peer: &Moongate, tls: &str) -> Builder {
    let port = peer.address.port();
    Moongate::with(&format!(
        "workers: 1\nupstreams: {{ app: {{ peers: [127.0.0.1:{port}], tls: {tls} }} }}\n"
    ))
}

const SHOP: &str = "{ certificate: shop.pem, key: shop.key }";

#[test]
fn a_peer_is_believed_by_its_name_and_its_authority() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let peer = with(&behind(SHOP), &[("shop", &shop)]).start();
    let believes = before(&peer, "{ name: shop.example, ca: shop.pem }");
    let believes = believes.file("shop.pem", &shop.certificate).start();
    let said = believes.get("/").text();
    assert!(said.starts_with("shop.example nobody\n"), "{said}");

    for (tls, why) in [
        ("{ name: shop.example }", "self-signed certificate"),
        ("{ name: blog.example, ca: shop.pem }", "does not match \"blog.example\""),
        ("{ ca: shop.pem }", "does not match \"127.0.0.1\""),
        ("{ name: shop.example, verify: false, protocols: TLSv1.2 }", ""),
        ("{ sni: false, name: shop.example, ca: shop.pem }", ""),
    ] {
        let moongate = before(&peer, tls).file("shop.pem", &shop.certificate).start();
        let answer = moongate.get("/");
        let expected = if why.is_empty() { 200 } else { 502 };
        assert_eq!(answer.status, expected, "{tls}: {}", moongate.log());
        if !why.is_empty() {
            let tried = r#"moongate_upstream_tries_total{connection="new",outcome="tls_error",upstream="app"}"#;
            let seen = || moongate.metric(tried) >= 1.0 && moongate.log().contains(why);
            assert!(wait_until(DEADLINE, seen), "{tls}: {}", moongate.log());
        }
        if tls.contains("sni: false") {
            assert!(answer.text().starts_with("unnamed"), "{}", answer.text());
        }
    }
}

#[test]
fn connections_are_kept_and_bodies_of_every_kind_pass() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let peer = with(&behind(SHOP), &[("shop", &shop)]).start();
    let moongate = before(&peer, "{ name: shop.example, ca: shop.pem }")
        .file("shop.pem", &shop.certificate)
        .start();
    let body = vec![b'x'; 300_000];
    for _ in 0..3 {
        let chunked = moongate.get("/chunks").text();
        assert_eq!(chunked.matches('c').count(), 90_000);
        assert!(chunked.ends_with("\n1 0\n"), "{}", &chunked[chunked.len() - 20..]);
        assert_eq!(moongate.get("/sized").body.len(), 100_000);
        assert!(moongate.post("/", &body).text().ends_with("\n1 300000\n"));
    }
    let shaken = ["ok", "resumed"].map(|outcome| handshakes(&peer, outcome));
    assert_eq!(shaken, [1.0, 0.0], "one connection served all");
}

#[test]
fn a_peer_that_asks_is_shown_a_certificate() {
    let workshop = Workshop::new();
    let (shop, authority) = (workshop.own("shop.example", 2), workshop.own("authority.example", 2));
    let own = workshop.signed("moongate", "authority.example", "extendedKeyUsage=clientAuth");
    let asks = "{ certificate: shop.pem, key: shop.key, client_ca: authority.pem, verify_client: require }";
    let peer = with(&behind(asks), &[("shop", &shop)])
        .file("authority.pem", &authority.certificate)
        .start();
    let shows = "{ name: shop.example, ca: shop.pem, certificate: own.pem, key: own.key }";
    let start = |tls: &str| {
        let builder = before(&peer, tls).file("shop.pem", &shop.certificate);
        builder.file("own.pem", &own.certificate).file("own.key", &own.key).start()
    };
    let said = start(shows).get("/").text();
    assert!(said.starts_with("shop.example CN=moongate,O=Shop\n"), "{said}");
    assert_eq!(start("{ name: shop.example, ca: shop.pem }").get("/").status, 502, "without");
}

#[test]
fn health_checks_speak_tls_too() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let peer = with(&behind(SHOP), &[("shop", &shop)]).start();
    let port = peer.address.port();
    for (ca, healthy) in [("ca: shop.pem", 1.0), ("verify: true", 0.0)] {
        let config = format!(
            "upstreams: {{ app: {{ peers: [127.0.0.1:{port}], tls: {{ name: shop.example, {ca} }}, \
             health_check: {{ path: /, interval: 100ms, rise: 1, fall: 1 }} }} }}\n"
        );
        let moongate = Moongate::with(&config).file("shop.pem", &shop.certificate).start();
        let series =
            format!("moongate_upstream_peer_healthy{{peer=\"127.0.0.1:{port}\",upstream=\"app\"}}");
        // Sessions go on from check to check.
        let resumed = || handshakes(&peer, "resumed");
        let before = resumed();
        let checked =
            || moongate.metric(&series) == healthy && (resumed() > before || healthy == 0.0);
        assert!(wait_until(DEADLINE, checked), "{ca}: {}", moongate.metrics());
    }
}

#[test]
fn renewed_files_serve_new_connections() {
    let workshop = Workshop::new();
    let (shop, blog) = (workshop.own("shop.example", 2), workshop.own("blog.example", 2));
    let peer = with(&behind(SHOP), &[("shop", &shop)]).start();
    let moongate = before(&peer, "{ name: shop.example, ca: trusted.pem }")
        .file("trusted.pem", &shop.certificate)
        .start();
    assert_eq!(moongate.get("/").status, 200);
    let generation = moongate.generation();
    moongate.edit("trusted.pem", &blog.certificate);
    moongate.wait_past(generation);
    assert_eq!(moongate.get("/").status, 502, "whom nobody trusts any more has no kept connection");
    let generation = moongate.generation();
    moongate.edit("trusted.pem", "nothing");
    moongate.edit("trusted.pem", &shop.certificate);
    moongate.wait_past(generation);
    assert_eq!(moongate.get("/").status, 200);
}

/// A server of OpenSSL's.
struct OpenSsl(Child, u16);

impl OpenSsl {
    fn start(workshop: &Workshop, name: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")])
            .current_dir(workshop.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is there");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().rsplit_once(':')?.1.parse().ok());
        Self(child, port.expect("it says where it listens"))
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn openssl_is_spoken_to() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let server = OpenSsl::start(&workshop, "shop.example");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let config = format!(
            "upstreams: {{ app: {{ peers: [127.0.0.1:{}], tls: {{ name: shop.example, ca: shop.pem, protocols: {version} }} }} }}\n",
            server.1
        );
        let moongate = Moongate::with(&config).file("shop.pem", &shop.certificate).start();
        let answer = moongate.get("/");
        assert_eq!(answer.status, 200, "{}", moongate.log());
        assert!(answer.text().contains(&format!("Protocol  : {version}")), "{}", answer.text());
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let workshop = Workshop::new();
    let (shop, blog) = (workshop.own("shop.example", 2), workshop.own("blog.example", 2));
    let folder = tempfile::tempdir().unwrap();
    for (name, made) in [("shop", &shop), ("blog", &blog)] {
        std::fs::write(folder.path().join(format!("{name}.pem")), &made.certificate).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), &made.key).unwrap();
    }
    for (tls, told) in [
        ("{ ca: none.pem }", "there is no such file"),
        ("{ ca: shop.key }", "`shop.key` has no certificate in PEM"),
        ("{ certificate: shop.pem, key: blog.key }", "`shop.pem` and `blog.key`"),
        ("{ certificate: shop.pem }", "its `key` is missing"),
        ("{ name: \"a b\" }", "not a name that a certificate can have"),
        ("{ verify: false, ca: shop.pem }", "nobody is judged by it"),
    ] {
        let file = folder.path().join("moongate.yaml");
        let config = format!("\n\nupstreams: {{ app: {{ peers: [127.0.0.1:1], tls: {tls} }} }}\n");
        std::fs::write(&file, config).unwrap();
        let output = command(&["check", "-c", &file.display().to_string()]);
        let said = output.stdout + &output.stderr;
        assert_eq!(output.code, 1, "{tls}: {said}");
        assert!(said.contains(told) && said.contains("moongate.yaml:3"), "{tls}: {said}");
    }
}
