//! The shipped modules in a running Moongate, setting by setting: who is let in, and what is edited.

use argon2::password_hash::{PasswordHasher as _, SaltString};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Answer, Moongate, Response, Upstream};

/// Within the year 2096.
const LATER: u64 = 4_000_000_000;

/// A Moongate with one module in one phase, with these settings (a YAML flow mapping).
fn with_module(upstream: &Upstream, module: &str, settings: &str) -> Moongate {
    let config = format!("modules: [{{ module: {module}, with: {{ {settings} }} }}]\n");
    Moongate::before(upstream, &format!("trusted_proxies: [127.0.0.1]\n{config}"))
}

#[test]
fn allow_admits_nobody_else_and_deny_goes_first() {
    let upstream = Upstream::start();
    let settings = "allow: [10.0.0.0/8, '2001:db8::/32'], deny: [10.6.0.0/16], status: 404";
    let moongate = with_module(&upstream, "ip_admission", settings);
    for (address, status) in [
        ("10.1.2.3", 200),
        ("10.6.0.1", 404),
        ("11.0.0.1", 404),
        ("2001:db8::7", 200),
        ("2001:db9::7", 404),
        ("::ffff:10.1.2.3", 200),
    ] {
        let answer = moongate.request("GET", "/", &[("X-Forwarded-For", address)], "");
        assert_eq!(answer.status, status, "{address}");
    }
    assert_eq!(upstream.requests(), 3);
}

#[test]
fn lists_inline_and_of_several_files_add_up() {
    let upstream = Upstream::start();
    let config = "trusted_proxies: [127.0.0.1]\naccess:\n  - module: ip_admission\n    with: { deny: [192.0.2.1], \
                  deny_file: [a.txt, b.txt] }\n";
    let moongate = Moongate::with_upstream(&upstream, config)
        .file("a.txt", "# first\n192.0.2.2\n")
        .file("b.txt", "192.0.2.3 ; third\r\n192.0.2.64/26\r\n")
        .start();
    for (last, status) in [(1, 403), (2, 403), (3, 403), (4, 200), (63, 200), (64, 403), (128, 200)]
    {
        let address = format!("192.0.2.{last}");
        let answer = moongate.request("GET", "/", &[("X-Forwarded-For", &address)], "");
        assert_eq!(answer.status, status, "{address}");
    }
}

#[test]
fn a_password_kept_by_argon2_admits() {
    let upstream = Upstream::start();
    let parameters = argon2::Params::new(64, 1, 1, None).unwrap();
    let hasher =
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    let salt = SaltString::encode_b64(b"salt of the earth").unwrap();
    let hash = hasher.hash_password(b"open sesame", &salt).unwrap();
    let moongate =
        with_module(&upstream, "basic_auth", &format!("users: {{ baba: '{hash}' }}, realm: Cave"));
    let ask = |credentials: &str| {
        let field = format!("Basic {}", STANDARD.encode(credentials));
        moongate.request("GET", "/", &[("Authorization", &field)], "")
    };
    assert_eq!(ask("baba:open sesame").status, 200);
    for wrong in ["baba:open sesam", "baba:", "ali:open sesame", "baba", ":open sesame"] {
        let refused = ask(wrong);
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.header("www-authenticate").unwrap().contains("realm=\"Cave\""));
    }
    for malformed in ["Basic !", "Basic", "Bearer abc", "Basic YWJj"] {
        assert_eq!(moongate.request("GET", "/", &[("Authorization", malformed)], "").status, 401);
    }
    assert_eq!(upstream.requests(), 1);
}

const SECRET: &str = "moongate-test-secret-of-32-bytes";

fn token(algorithm: Algorithm, kid: Option<&str>, claims: &Value, secret: &str) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn bring(moongate: &Moongate, token: &str) -> Response {
    let field = format!("Bearer {token}");
    moongate.request("GET", "/", &[("Authorization", &field), ("X-User", "root")], "")
}

#[test]
fn only_valid_tokens_admit() {
    let upstream = Upstream::start();
    let settings = format!(
        "secret: {SECRET}, algorithms: [HS256], issuer: [moon], audience: [shop], \
         claims_to_headers: {{ sub: X-User, role: X-Role }}"
    );
    let moongate = with_module(&upstream, "jwt", &settings);
    let good = json!({ "sub": "anna", "role": "buyer", "exp": LATER, "iss": "moon", "aud": ["shop", "x"] });
    let valid = token(Algorithm::HS256, None, &good, SECRET);
    assert_eq!(bring(&moongate, &valid).status, 200);
    let seen = upstream.last();
    assert_eq!((seen.all("x-user"), seen.all("x-role")), (vec!["anna"], vec!["buyer"]));

    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        token(Algorithm::HS256, None, &claims, SECRET)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        token(Algorithm::HS256, None, &claims, SECRET)
    };
    let (head, rest) = valid.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let root = URL_SAFE_NO_PAD.encode(good.to_string().replace("anna", "root"));
    for (what, token) in [
        ("expired", with("exp", json!(1_000_000_000))),
        ("without an end", without("exp")),
        ("not yet valid", with("nbf", json!(LATER))),
        ("of another issuer", with("iss", json!("sun"))),
        ("without an issuer", without("iss")),
        ("for another audience", with("aud", json!("cellar"))),
        (
            "signed by another",
            token(Algorithm::HS256, None, &good, "another-secret-of-just-32-bytes!"),
        ),
        ("of another algorithm", token(Algorithm::HS512, None, &good, SECRET)),
        ("alg none", format!("{none}.{body}.")),
        ("alg none with a signature", format!("{none}.{body}.{signature}")),
        ("with other claims", format!("{head}.{root}.{signature}")),
        ("without a signature", format!("{head}.{body}.")),
        ("of two parts", format!("{head}.{body}")),
        ("empty", String::new()),
        ("no token", "a b c".to_owned()),
    ] {
        let refused = bring(&moongate, &token);
        assert_eq!(refused.status, 401, "a token {what}");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer "), "{what}");
    }
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn the_key_of_a_set_is_chosen_by_the_tokens_kid() {
    let upstream = Upstream::start();
    let (old, new) = ("old-secret-of-at-least-32-bytes!", "new-secret-of-at-least-32-bytes!");
    let key = |kid: &str, secret: &str| json!({ "kty": "oct", "kid": kid, "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret) });
    let keys = json!({ "keys": [key("old", old), key("new", new)] });
    let config = "access: [{ module: jwt, with: { jwks_file: keys.json } }]\n";
    let moongate =
        Moongate::with_upstream(&upstream, config).file("keys.json", keys.to_string()).start();
    let claims = json!({ "exp": LATER });
    for (kid, secret, status) in [
        (Some("old"), old, 200),
        (Some("new"), new, 200),
        (Some("old"), new, 401),
        (Some("gone"), new, 401),
        (Some("../old"), old, 401),
    ] {
        let token = token(Algorithm::HS256, kid, &claims, secret);
        assert_eq!(bring(&moongate, &token).status, status, "{kid:?}");
    }
    let generation = moongate.generation();
    moongate.edit("keys.json", json!({ "keys": [key("new", new)] }).to_string());
    moongate.wait_past(generation);
    let token = token(Algorithm::HS256, Some("old"), &claims, old);
    assert_eq!(bring(&moongate, &token).status, 401, "a key that was taken out admits nobody");
}

#[test]
fn bodies_are_edited_by_regexes_with_the_right_lengths() {
    let upstream = Upstream::start();
    upstream
        .answer(
            "/page",
            Answer::with(
                200,
                &[("Content-Type", "text/html"), ("ETag", "\"1\"")],
                "Call +49 30 1234567 or +49 40 7654321.",
            ),
        )
        .answer("/picture", Answer::with(200, &[("Content-Type", "image/png")], "+49 30 1234567"));
    let config = "modules:\n  - module: body_rewrite\n    on_error: refuse\n    with:\n      \
                  request_replace: [{ pattern: 'colou?r', with: 'hue', flags: i }]\n      \
                  response_replace: [{ pattern: '\\+49 (\\d+) \\d+', with: '+49 $1 …' }]\n";
    let moongate = Moongate::before(&upstream, config);
    let mut client = moongate.connect();
    let page = client.ask("/page").read();
    assert_eq!(page.text(), "Call +49 30 … or +49 40 ….");
    assert_eq!(page.header("etag"), None);
    assert_eq!(page.all("content-length"), [page.body.len().to_string()]);
    assert_eq!(client.ask("/picture").read().text(), "+49 30 1234567");
    let text = [("Content-Type", "text/plain")];
    moongate.request("POST", "/echo", &text, "Color and colour");
    let seen = upstream.last();
    assert_eq!((seen.text().as_str(), seen.all("content-length")), ("hue and hue", vec!["11"]));
    let binary = [("Content-Type", "application/octet-stream")];
    moongate.request("POST", "/echo", &binary, "Color and colour");
    assert_eq!(upstream.last().text(), "Color and colour");
}

#[test]
fn a_masked_field_does_not_leave_by_any_coding_or_depth() {
    let upstream = Upstream::start();
    let document =
        json!({ "orders": [{ "card": "4111" }, { "card": "4222", "n": 1 }], "card": "4333" });
    upstream
        .answer("/plain", Answer::json(&document.to_string()))
        .answer("/gzip", Answer::gzip("application/json", &document.to_string()))
        .answer(
            "/problem",
            Answer::with(
                400,
                &[("Content-Type", "application/problem+json")],
                document.to_string(),
            ),
        );
    let config = "modules:\n  - module: body_rewrite\n    on_error: refuse\n    with: { response_json_mask: \
                  [card, 'orders.*.card'] }\n";
    let moongate = Moongate::before(&upstream, config);
    for path in ["/plain", "/gzip", "/problem"] {
        let answer = moongate.get(path);
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        let mut text = String::new();
        if answer.header("content-encoding") == Some("gzip") {
            let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]);
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        } else {
            text = answer.text();
        }
        let masked: Value = serde_json::from_str(&text).unwrap();
        let expected =
            json!({ "orders": [{ "card": "***" }, { "card": "***", "n": 1 }], "card": "***" });
        assert_eq!(masked, expected, "{path}");
    }
}

#[test]
fn security_headers_keep_the_applications_own_and_hide_what_runs_behind() {
    let upstream = Upstream::start();
    let fields = [("X-Frame-Options", "DENY"), ("Server", "nginx/1.1"), ("X-Powered-By", "PHP/5")];
    upstream.answer("/", Answer::with(200, &fields, "x"));
    let settings = "content_security_policy: \"default-src 'self'\", referrer_policy: '', set: { X-Robots-Tag: noindex }";
    let moongate = with_module(&upstream, "security_headers", settings);
    for answer in [moongate.get("/"), moongate.get("/again")] {
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'self'"));
        assert_eq!(answer.all("x-content-type-options"), ["nosniff"]);
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
        for gone in ["server", "x-powered-by", "referrer-policy", "strict-transport-security"] {
            assert_eq!(answer.header(gone), None, "{gone}");
        }
    }
    assert_eq!(moongate.get("/").all("x-frame-options"), ["DENY"]);
    let overriding = with_module(&upstream, "security_headers", "override: true");
    assert_eq!(overriding.get("/").all("x-frame-options"), ["SAMEORIGIN"]);
}

#[test]
fn a_request_id_is_the_same_for_upstream_client_and_log_and_forged_ones_are_not_kept() {
    let upstream = Upstream::start();
    let moongate = with_module(&upstream, "request_id", "header: X-Trace");
    let answer = moongate.request("GET", "/", &[("X-Trace", "forged")], "");
    let id = answer.header("x-trace").unwrap().to_owned();
    assert_eq!((id.len(), upstream.last().all("x-trace")), (32, vec![&*id]));
    moongate.wait_for_output(&id);
    assert_ne!(moongate.get("/").header("x-trace"), Some(&*id));

    let trusting = with_module(&upstream, "request_id", "trust: true, respond: false");
    for (came, kept) in
        [("abc-123", true), ("a b", false), ("a\"b", false), (&*"x".repeat(129), false)]
    {
        let answer = trusting.request("GET", "/", &[("X-Request-Id", came)], "");
        assert_eq!(answer.header("x-request-id"), None);
        assert_eq!(upstream.last().all("x-request-id") == [came], kept, "{came}");
        assert_eq!(upstream.last().all("x-request-id").len(), 1, "{came}");
    }
}
