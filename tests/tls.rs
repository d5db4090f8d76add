//! Listeners with TLS: certificates by name, reload, client certificates, clients that misbehave; with
//! curl and openssl as clients.

mod scripts;
mod upstreams;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::support::{Builder, Client, DEADLINE, Moongate, command, pause, wait_until};

/// Certificates and keys, made for one test.
struct Workshop(TempDir);

/// A certificate and its key, in PEM.
struct Made {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn openssl(&self, line: &str) -> String {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "openssl {line}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &said
    }

    fn made(&self, name: &str) -> Made {
        let read = |end: &str| std::fs::read(self.path(&format!("{name}.{end}"))).unwrap();
        Made { certificate: read("pem"), key: read("key") }
    }

    /// One that signs itself, for a host, valid for so many days.
    fn own(&self, host: &str, days: i32) -> Made {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {host}.key \
             -out {host}.pem -days {days} -subj /CN={host} -addext subjectAltName=DNS:{host}"
        ));
        self.made(host)
    }

    /// One that expired long ago.
    fn expired(&self) -> Made {
        let settings = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\n\
                        default_md = sha256\npolicy = any\nnew_certs_dir = .\n[any]\n\
                        commonName = supplied\n";
        for (name, text) in [("settings", settings), ("index", ""), ("serial", "01\n")] {
            std::fs::write(self.path(name), text).unwrap();
        }
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout old.key -out old.csr \
             -subj /CN=old.example",
        );
        self.openssl(
            "ca -batch -notext -selfsign -config settings -in old.csr -keyfile old.key -out old.pem \
             -startdate 20200101000000Z -enddate 20200201000000Z",
        );
        self.made("old")
    }

    /// One that an authority (made by [`Workshop::own`]) signed, with these extensions.
    fn signed(&self, name: &str, authority: &str, extensions: &str) -> Made {
        std::fs::write(self.path("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out \
             {name}.csr -subj /O=Shop/CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial \
             -days 2 -extfile extensions -out {name}.pem"
        ));
        self.made(name)
    }

    /// What curl says of `https://HOST:PORT/`; none: it failed.
    fn curl(&self, moongate: &Moongate, host: &str, arguments: &str) -> Result<String, String> {
        let port = moongate.address.port();
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--resolve"])
            .arg(format!("{host}:{port}:127.0.0.1"))
            .args(arguments.split_whitespace())
            .arg(format!("https://{host}:{port}/"))
            .current_dir(self.0.path())
            .output()
            .expect("curl is there");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// How many handshakes came to that so far; they are counted when a connection is done with them, which
/// may be after its client knows.
fn handshakes(moongate: &Moongate, outcome: &str) -> f64 {
    moongate.metric(&format!("moongate_tls_handshakes_total{{outcome=\"{outcome}\"}}"))
}

const SAYS: &str = "content_by_lua_block: |\n  local v = ngx.var\n  ngx.say(v.scheme, ' ', v.https, ' ', v.ssl_protocol, ' ', v.ssl_server_name, ' ', v.ssl_client_verify, ' ', v.ssl_client_s_dn)\n";

fn with(config: &str, files: &[(&str, &Made)]) -> Builder {
    let mut builder = Moongate::with(config);
    for (name, made) in files {
        builder = builder.file(&format!("{name}.pem"), &made.certificate);
        builder = builder.file(&format!("{name}.key"), &made.key);
    }
    builder
}

fn listening(tls: &str) -> String {
    format!("listen: [{{ address: 127.0.0.1:0, tls: {tls} }}]\n{SAYS}")
}

const SHOP: &str = "{ certificate: shop.pem, key: shop.key }";

#[test]
fn each_host_shows_its_own_certificate() {
    let workshop = Workshop::new();
    let (shop, blog) = (workshop.own("shop.example", 2), workshop.own("blog.example", 2));
    let tls = "{ certificate: shop.pem, key: shop.key, certificates: [{ certificate: blog.pem, key: blog.key }] }";
    let moongate = with(&listening(tls), &[("shop", &shop), ("blog", &blog)]).start();
    for host in ["shop.example", "blog.example"] {
        let said = workshop.curl(&moongate, host, &format!("--cacert {host}.pem"));
        assert_eq!(said.unwrap(), format!("https on TLSv1.3 {host} NONE nil\n"));
    }
    let other = workshop.curl(&moongate, "other.example", "--cacert shop.example.pem");
    assert!(other.is_err_and(|said| said.contains("other.example")), "the first is for the others");
    let older = workshop.curl(&moongate, "shop.example", "--cacert shop.example.pem --tls-max 1.2");
    assert!(older.unwrap().contains("TLSv1.2"));
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "ok") >= 3.0));
}

#[test]
fn a_site_has_its_own_certificate_and_versions() {
    let workshop = Workshop::new();
    let (shop, blog) = (workshop.own("shop.example", 2), workshop.own("blog.example", 2));
    let config = "\
listen: [{ address: 127.0.0.1:0, tls: {} }]
sites:
  - { names: [shop.example], tls: { certificate: shop.pem, key: shop.key }, content_by_lua_block: ngx.say('shop') }
  - { names: [blog.example], tls: { certificate: blog.pem, key: blog.key, protocols: TLSv1.3 }, content_by_lua_block: ngx.say('blog') }
";
    let moongate = with(config, &[("shop", &shop), ("blog", &blog)]).start();
    let asks = |host: &str, more: &str| {
        workshop.curl(&moongate, host, &format!("--cacert {host}.pem {more}"))
    };
    assert_eq!(asks("shop.example", "--tls-max 1.2").unwrap(), "shop\n");
    assert_eq!(asks("blog.example", "").unwrap(), "blog\n");
    assert!(asks("blog.example", "--tls-max 1.2").is_err());
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "failed") >= 1.0));
}

#[test]
fn who_speaks_no_tls_is_told_so_in_http() {
    let shop = Workshop::new().own("shop.example", 2);
    let moongate = with(&listening(SHOP), &[("shop", &shop)]).start();
    let answer = moongate.get("/");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("The plain HTTP request was sent to HTTPS port"));
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "plain_http") == 1.0));
}

#[test]
fn garbage_ends_its_own_connection_alone() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = format!("limits: {{ handshake_time: 1s }}\n{}", listening(SHOP));
    let moongate = with(&config, &[("shop", &shop)]).start();
    let mut state = 1_u32;
    for length in [1, 6, 600, 20_000, 70_000] {
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let noise: Vec<u8> = (0..length).map(|_| byte() | 0x80).collect();
        // Whole and unreadable, or a handshake's record full of noise.
        for beginning in [&[][..], &[22, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFC]] {
            let mut client = Client::connect(moongate.address);
            let _ = client.try_send([beginning, &noise].concat());
            client.read_to_end();
        }
    }
    let said = workshop.curl(&moongate, "shop.example", "--cacert shop.example.pem");
    assert!(said.is_ok(), "{said:?}");
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "bad_hello") >= 3.0));
    assert!(wait_until(DEADLINE, || moongate.metric("moongate_connections_open") == 0.0));
}

#[test]
fn a_client_that_never_finishes_its_handshake_is_given_up() {
    let shop = Workshop::new().own("shop.example", 2);
    let config = format!("limits: {{ handshake_time: 300ms }}\n{}", listening(SHOP));
    let moongate = with(&config, &[("shop", &shop)]).start();
    let mut silent = Client::connect(moongate.address);
    let mut slow = Client::connect(moongate.address);
    slow.send([22, 3, 1, 2, 0, 1]);
    assert!(silent.closed() && slow.closed());
    // It is told of a moment after the connection is closed.
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "timeout") >= 2.0));
}

#[test]
fn a_client_must_show_a_certificate_that_its_authority_signed() {
    let workshop = Workshop::new();
    let (shop, _) = (workshop.own("shop.example", 2), workshop.own("stranger.example", 2));
    let authority = workshop.own("authority.example", 2);
    workshop.signed("anna", "authority.example", "extendedKeyUsage=clientAuth");
    let tls = "{ certificate: shop.pem, key: shop.key, client_ca: authority.pem, verify_client: require }";
    let moongate = with(&listening(tls), &[("shop", &shop)])
        .file("authority.pem", &authority.certificate)
        .start();
    let ask = |more: &str| {
        workshop.curl(&moongate, "shop.example", &format!("--cacert shop.example.pem {more}"))
    };
    let said = ask("--cert anna.pem --key anna.key").unwrap();
    assert_eq!(said, "https on TLSv1.3 shop.example SUCCESS CN=anna,O=Shop\n");
    assert!(ask("").is_err(), "without one");
    assert!(ask("--cert stranger.example.pem --key stranger.example.key").is_err(), "a stranger");
    assert!(ask("--tls-max 1.2").is_err(), "without one, by TLS 1.2");
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "certificate") >= 3.0));
}

#[test]
fn a_site_that_asks_for_certificates_is_not_reached_by_way_of_another() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = "\
listen: [{ address: 127.0.0.1:0, tls: { certificate: shop.pem, key: shop.key } }]
sites:
  - { names: [shop.example], content_by_lua_block: ngx.say('shop') }
  - { names: [vault.example], tls: { certificate: shop.pem, key: shop.key, client_ca: shop.pem, verify_client: require }, content_by_lua_block: ngx.say('vault') }
";
    let moongate = with(config, &[("shop", &shop)]).start();
    let ask = |host: &str| {
        let more = format!("--cacert shop.example.pem -H Host:{host} -w %{{http_code}}");
        workshop.curl(&moongate, "shop.example", &more).unwrap()
    };
    assert_eq!(ask("shop.example"), "shop\n200");
    assert!(ask("vault.example").ends_with("421"));
}

#[test]
fn the_proxy_protocol_comes_before_tls() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = "\
listen: [{ address: 127.0.0.1:0, proxy_protocol: true, tls: { certificate: shop.pem, key: shop.key } }]
content_by_lua_block: ngx.say(ngx.var.remote_addr, ' ', ngx.var.scheme)
";
    let moongate = with(config, &[("shop", &shop)]).start();
    let said =
        workshop.curl(&moongate, "shop.example", "--cacert shop.example.pem --haproxy-protocol");
    assert_eq!(said.unwrap(), "127.0.0.1 https\n");
}

#[test]
fn long_bodies_go_both_ways() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = "\
listen: [{ address: 127.0.0.1:0, tls: { certificate: shop.pem, key: shop.key } }]
content_by_lua_block: |
  ngx.req.read_body()
  local body = ngx.req.get_body_data() or io and '' or ''
  ngx.print(#body, ' ', ngx.md5(body), ' ', string.rep('x', 3000000))
limits: { body_memory: 8MiB }
lua: { budget: { cpu: 5s, memory: 256MiB } }
";
    let moongate = with(config, &[("shop", &shop)]).start();
    std::fs::write(workshop.path("long"), vec![b'y'; 4_000_000]).unwrap();
    let more =
        "--cacert shop.example.pem --data-binary @long -H Expect: -H Content-Type:text/plain";
    let said = workshop.curl(&moongate, "shop.example", more).unwrap();
    assert_eq!(said.len(), "4000000 ".len() + 32 + 1 + 3_000_000);
    assert!(said.starts_with("4000000 "));
}

#[test]
fn renewed_certificates_are_shown_and_no_handshake_fails_meanwhile() {
    let workshop = Arc::new(Workshop::new());
    let mut shop = workshop.own("shop.example", 2);
    std::fs::write(workshop.path("trusted"), &shop.certificate).unwrap();
    let moongate = Arc::new(with(&listening(SHOP), &[("shop", &shop)]).start());
    let (ends, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let asker = {
        let (workshop, moongate) = (workshop.clone(), moongate.clone());
        let (ends, asked) = (ends.clone(), asked.clone());
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let said = workshop.curl(&moongate, "shop.example", "-k");
                assert!(said.is_ok(), "{said:?}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for _ in 0..3 {
        shop = workshop.own("shop.example", 2);
        let before = moongate.generation();
        // First the one and then the other, as programs do that renew them: between the two they do
        // not belong together, and those before serve.
        moongate.edit("shop.pem", &shop.certificate);
        pause(Duration::from_millis(300));
        moongate.edit("shop.key", &shop.key);
        moongate.wait_past(before);
        let said = workshop.curl(&moongate, "shop.example", "--cacert shop.example.pem");
        assert!(said.is_ok(), "{said:?}");
    }
    let trusted = workshop.curl(&moongate, "shop.example", "--cacert trusted");
    assert!(trusted.is_err(), "the first is shown no more");
    ends.store(true, Ordering::Relaxed);
    asker.join().unwrap();
    assert!(asked.load(Ordering::Relaxed) > 5);
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let workshop = Workshop::new();
    let (shop, blog) = (workshop.own("shop.example", 2), workshop.own("blog.example", 2));
    let old = workshop.expired();
    let cases = [
        ("{ certificate: none.pem, key: shop.key }", "there is no such file"),
        ("{ certificate: shop.pem, key: blog.key }", "the key is that of another certificate"),
        ("{ certificate: shop.key, key: shop.key }", "no certificate in PEM is in it"),
        ("{ certificate: shop.pem, key: shop.pem }", "no private key in PEM is in it"),
        ("{ certificate: old.pem, key: old.key }", "the certificate has expired"),
        ("{ certificate: shop.pem }", "its `key` is missing"),
        ("{ verify_client: require, certificate: shop.pem, key: shop.key }", "who signs them"),
        ("{}", "nobody has a certificate"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, made) in [("shop", &shop), ("blog", &blog), ("old", &old)] {
        std::fs::write(folder.path().join(format!("{name}.pem")), &made.certificate).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), &made.key).unwrap();
    }
    for (tls, told) in cases {
        let file = folder.path().join("moongate.yaml");
        std::fs::write(&file, format!("\n\n{}", listening(tls))).unwrap();
        let output = command(&["check", "-c", &file.display().to_string()]);
        assert_eq!(output.code, 1, "{tls}");
        let said = output.stdout + &output.stderr;
        assert!(said.contains(told) && said.contains("moongate.yaml:3"), "{tls}: {said}");
    }
}

#[test]
fn sessions_go_on_where_they_began() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let moongate = with(&listening(SHOP), &[("shop", &shop)]).start();
    let port = moongate.address.port();
    let connect =
        format!("s_client -connect 127.0.0.1:{port} -servername shop.example -tls1_2 -reconnect");
    let said = workshop.openssl(&connect);
    assert!(said.contains("Reused, TLSv1.2"), "{said}");
    assert!(wait_until(DEADLINE, || handshakes(&moongate, "resumed") >= 1.0));
}
