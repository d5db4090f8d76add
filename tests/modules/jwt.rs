//! `jwt`: every algorithm, and every way around a signature that is known.
//!
//! The keys in `keys/` are for these tests only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::bench::{Bench, End};

const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";
const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("keys/rsa.pub.pem");
const P256: &[u8] = include_bytes!("keys/p256.pem");
const P256_PUBLIC: &[u8] = include_bytes!("keys/p256.pub.pem");
const P384: &[u8] = include_bytes!("keys/p384.pem");
const P384_PUBLIC: &[u8] = include_bytes!("keys/p384.pub.pem");
const ED: &[u8] = include_bytes!("keys/ed25519.pem");
const ED_PUBLIC: &[u8] = include_bytes!("keys/ed25519.pub.pem");

const FILES: &[(&str, &[u8])] = &[
    ("secret", SECRET),
    ("rsa", RSA_PUBLIC),
    ("p256", P256_PUBLIC),
    ("p384", P384_PUBLIC),
    ("ed", ED_PUBLIC),
];

fn signing_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET),
        Algorithm::ES256 => EncodingKey::from_ec_pem(P256).unwrap(),
        Algorithm::ES384 => EncodingKey::from_ec_pem(P384).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(ED).unwrap(),
        _ => EncodingKey::from_rsa_pem(RSA).unwrap(),
    }
}

fn claims() -> Value {
    json!({ "sub": "ali", "exp": now() + 600, "iss": "moon", "aud": ["gate", "x"] })
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn token(algorithm: Algorithm, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &signing_key(algorithm)).unwrap()
}

fn bench(conf: &str, token: &str) -> Bench {
    Bench::with_files("jwt", conf, FILES).with_header("Authorization", &format!("Bearer {token}"))
}

#[track_caller]
fn refused(conf: &str, token: &str, reason: &str) {
    let bench = bench(conf, token);
    assert_eq!(bench.run("access"), End::Exit(401), "{reason}");
    let challenge = bench.eval("ngx.header['WWW-Authenticate']");
    let wanted =
        format!(r#"Bearer realm="Moongate", error="invalid_token", error_description="{reason}""#);
    assert_eq!(challenge, wanted);
    assert_eq!(bench.eval("ngx.ctx.jwt"), "nil");
}

#[test]
fn every_algorithm_is_verified_with_its_own_key() {
    let families = [
        ("secret_file = 'secret'", &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512][..]),
        (
            "public_key_file = 'rsa'",
            &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
        ),
        ("public_key_file = 'p256'", &[Algorithm::ES256]),
        ("public_key_file = 'p384'", &[Algorithm::ES384]),
        ("public_key_file = 'ed'", &[Algorithm::EdDSA]),
    ];
    for (key, algorithms) in families {
        for algorithm in algorithms {
            let conf = format!("{{ {key}, algorithms = {{ '{algorithm:?}' }} }}");
            let good = token(*algorithm, &claims());
            let bench = bench(&conf, &good);
            assert_eq!(bench.run("access"), End::Went, "{algorithm:?}");
            assert_eq!(bench.eval("ngx.ctx.jwt.sub .. ngx.ctx.jwt.aud[2]"), "alix");
            refused(&conf, &tampered(&good), "signature does not fit");
        }
    }
}

/// The same token with another subject.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = claims();
    claims["sub"] = json!("root");
    format!("{}.{}.{}", parts[0], part(&claims), parts[2])
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[test]
fn a_token_without_a_signature_is_never_taken() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let head = part(&json!({ "alg": alg, "typ": "JWT" }));
        for conf in ["{ secret_file = 'secret' }", "{ public_key_file = 'rsa' }"] {
            refused(conf, &format!("{head}.{}.", part(&claims())), "malformed token");
        }
    }
    let good = token(Algorithm::HS256, &claims());
    let bare = &good[..=good.rfind('.').unwrap()];
    refused("{ secret_file = 'secret' }", bare, "signature does not fit");
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let forged =
        encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(RSA_PUBLIC))
            .unwrap();
    refused("{ public_key_file = 'rsa' }", &forged, "no key for this token");
    refused(
        "{ public_key_file = 'rsa', algorithms = { 'RS256' } }",
        &forged,
        "algorithm not allowed",
    );
    // Not even where HMAC is allowed for another key.
    let both = "{ public_key_file = 'rsa', secret_file = 'secret' }";
    refused(both, &forged, "signature does not fit");
}

#[test]
fn an_algorithm_that_is_not_named_is_refused() {
    let conf = "{ secret_file = 'secret', algorithms = { 'HS512' } }";
    refused(conf, &token(Algorithm::HS256, &claims()), "algorithm not allowed");
    let wrong =
        Bench::with_files("jwt", "{ secret_file = 'secret', algorithms = { 'RS256' } }", FILES);
    let End::Error(message) = wrong.run("init") else { panic!("it was taken") };
    assert!(message.contains("algorithm `RS256` fits none of the keys"), "{message}");
}

#[test]
fn times_are_checked_with_the_leeway() {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token(Algorithm::HS256, &claims)
    };
    let conf = "{ secret_file = 'secret' }";
    let patient = "{ secret_file = 'secret', leeway = 60 }";
    refused(conf, &with("exp", json!(now() - 10)), "token expired");
    refused(patient, &with("exp", json!(now() - 90)), "token expired");
    assert_eq!(bench(patient, &with("exp", json!(now() - 10))).run("access"), End::Went);
    refused(conf, &with("nbf", json!(now() + 10)), "token not valid yet");
    assert_eq!(bench(patient, &with("nbf", json!(now() + 10))).run("access"), End::Went);
    refused(conf, &with("nbf", json!("soon")), "a claim is malformed");
    refused(conf, &with("exp", json!("never")), "a required claim is missing");
    refused(conf, &with("exp", Value::Null), "a required claim is missing");
    let endless = "{ secret_file = 'secret', require_exp = false }";
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove("exp");
    let token = token(Algorithm::HS256, &claims);
    assert_eq!(bench(endless, &token).run("access"), End::Went);
}

#[test]
fn issuer_and_audience_that_are_wanted_must_be_there() {
    let conf = "{ secret_file = 'secret', issuer = { 'moon' }, audience = { 'gate' } }";
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token(Algorithm::HS256, &claims)
    };
    assert_eq!(bench(conf, &token(Algorithm::HS256, &claims())).run("access"), End::Went);
    assert_eq!(bench(conf, &with("aud", json!("gate"))).run("access"), End::Went);
    refused(conf, &with("iss", json!("sun")), "issuer not accepted");
    refused(conf, &with("iss", Value::Null), "a required claim is missing");
    refused(conf, &with("aud", json!(["wall"])), "audience not accepted");
    refused(conf, &with("aud", Value::Null), "a required claim is missing");
}

#[test]
fn a_key_set_serves_by_key_id() {
    let set = key_set();
    let files: &[(&str, &[u8])] = &[("jwks", set.as_bytes())];
    let sign = |algorithm, id: Option<&str>| {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        encode(&header, &claims(), &signing_key(algorithm)).unwrap()
    };
    let run = |token: &str| {
        let bench = Bench::with_files("jwt", "{ jwks_file = 'jwks' }", files)
            .with_header("Authorization", &format!("Bearer {token}"));
        (bench.run("access"), bench.eval("ngx.header['WWW-Authenticate']"))
    };
    assert_eq!(run(&sign(Algorithm::RS256, Some("r"))).0, End::Went);
    assert_eq!(run(&sign(Algorithm::ES256, Some("e"))).0, End::Went);
    assert_eq!(run(&sign(Algorithm::ES256, None)).0, End::Went);
    // The key says RS256 and nothing else, and keys have no other name than their own.
    for (algorithm, id) in
        [(Algorithm::PS256, "r"), (Algorithm::RS256, "e"), (Algorithm::RS256, "x")]
    {
        let (end, challenge) = run(&sign(algorithm, Some(id)));
        assert_eq!(end, End::Exit(401));
        assert!(challenge.contains("no key for this token"), "{challenge}");
    }
}

/// An RSA key for RS256 only, a P-256 key, a key for encryption and one of a kind yet to come.
fn key_set() -> String {
    let jwk = |algorithm, id: &str| {
        let mut jwk = Jwk::from_encoding_key(&signing_key(algorithm), algorithm).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        serde_json::to_value(jwk).unwrap()
    };
    let mut encryption = jwk(Algorithm::RS256, "x");
    encryption["use"] = json!("enc");
    let future = json!({ "kty": "AKP", "kid": "f", "pub": "AA" });
    json!({ "keys": [future, encryption, jwk(Algorithm::RS256, "r"), jwk(Algorithm::ES256, "e")] })
        .to_string()
}

#[test]
fn malformed_tokens_are_refused_in_words_of_our_own() {
    let conf = "{ secret_file = 'secret' }";
    for bad in ["x", "a.b", "a.b.c.d", "..", "eyJ.eyJ.x\"y", "\u{fffd}.a.b"] {
        refused(conf, bad, "malformed token");
    }
    let mut huge = claims();
    huge["x"] = json!("x".repeat(20_000));
    refused(conf, &token(Algorithm::HS256, &huge), "token too long");
    let mut deep = claims();
    deep["x"] = (0..40).fold(json!(1), |inner, _| json!([inner]));
    refused(conf, &token(Algorithm::HS256, &deep), "too many claims");
    let mut many = claims();
    many["x"] = json!(vec![1; 600]);
    refused(conf, &token(Algorithm::HS256, &many), "too many claims");
    refused(conf, &token(Algorithm::HS256, &json!([1])), "malformed token");
}

#[test]
fn a_header_that_must_be_understood_and_is_not_is_refused() {
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &claims(), &signing_key(Algorithm::HS256)).unwrap();
    refused("{ secret_file = 'secret' }", &token, "algorithm not allowed");
}

#[test]
fn claims_go_to_headers_that_the_client_cannot_set() {
    let mut claims = claims();
    claims["roles"] = json!(["a", "b"]);
    claims["n"] = json!(7);
    claims["evil"] = json!("x\r\nX-Admin: 1");
    let conf = "{ secret_file = 'secret', claims_to_headers = { sub = 'X-User', roles = 'X-Roles', \
                n = 'X-N', evil = 'X-Evil', gone = 'X-Gone' } }";
    let bench = bench(conf, &token(Algorithm::HS256, &claims))
        .with_header("X-User", "root")
        .with_header("x_gone", "root");
    assert_eq!(bench.run("access"), End::Went);
    for (name, value) in [
        ("X-User", Some("ali")),
        ("X-Roles", Some("a,b")),
        ("X-N", Some("7")),
        ("X-Evil", Some("x  X-Admin: 1")),
        ("x_gone", None),
    ] {
        assert_eq!(bench.request_header(name).as_deref(), value, "{name}");
    }
}

#[test]
fn who_brings_nothing_is_asked_and_a_cookie_may_bring_it() {
    let conf = "{ secret_file = 'secret', cookie = 'session' }";
    let nothing = Bench::with_files("jwt", conf, FILES);
    assert_eq!(nothing.run("access"), End::Exit(401));
    assert_eq!(nothing.eval("ngx.header['WWW-Authenticate']"), r#"Bearer realm="Moongate""#);
    let good = token(Algorithm::HS256, &claims());
    let cookie =
        Bench::with_files("jwt", conf, FILES).lua(&format!("ngx.var.cookie_session = '{good}'"));
    assert_eq!(cookie.run("access"), End::Went);
    let two = bench(conf, &good).with_header("Authorization", "Bearer x");
    assert_eq!(two.run("access"), End::Exit(401));
}

#[test]
fn a_module_without_a_key_fails_the_policy() {
    let End::Error(message) = Bench::new("jwt", "{}").run("init") else { panic!("it was taken") };
    assert!(message.contains("no key; set `secret`"), "{message}");
    let files: &[(&str, &[u8])] = &[("k", b"-----BEGIN NOTHING-----")];
    let bench = Bench::with_files("jwt", "{ public_key_file = 'k' }", files);
    let End::Error(message) = bench.run("init") else { panic!("it was taken") };
    assert!(message.contains("k: not a public key in PEM"), "{message}");
}
