//! Modules that admit and refuse, and those that set headers.

use super::bench::{Bench, End};

#[test]
fn an_address_in_a_deny_list_is_refused_and_others_pass() {
    let files: &[(&str, &[u8])] =
        &[("deny.txt", b"# bad\n198.51.100.0/24\n2001:db8:bad::/48 # ours\n")];
    let conf = r#"{ deny = { "203.0.113.7" }, deny_file = { "deny.txt" } }"#;
    for (address, end) in [
        ("198.51.100.9", End::Exit(403)),
        ("203.0.113.7", End::Exit(403)),
        ("::ffff:203.0.113.7", End::Exit(403)),
        ("2001:db8:bad::1", End::Exit(403)),
        ("203.0.113.8", End::Went),
    ] {
        let bench = Bench::with_files("ip_admission", conf, files).from(address);
        assert_eq!(bench.run("init"), End::Went);
        assert_eq!(bench.run("access"), end, "{address}");
    }
}

#[test]
fn with_an_allow_list_all_others_are_refused_and_deny_goes_first() {
    let conf = r#"{ allow = { "10.0.0.0/8" }, deny = { "10.6.6.6" }, status = 404 }"#;
    for (address, end) in
        [("10.1.1.1", End::Went), ("10.6.6.6", End::Exit(404)), ("11.0.0.1", End::Exit(404))]
    {
        assert_eq!(Bench::new("ip_admission", conf).from(address).run("access"), end, "{address}");
    }
}

#[test]
fn a_bad_line_in_a_list_fails_the_policy_and_says_where() {
    let files: &[(&str, &[u8])] = &[("deny.txt", b"10.0.0.1\nexample.com\n")];
    let bench = Bench::with_files("ip_admission", r#"{ deny_file = "deny.txt" }"#, files);
    let End::Error(message) = bench.run("init") else { panic!("it was taken") };
    assert!(message.contains("deny.txt:2: `example.com` is no address or network"), "{message}");
    let bench = Bench::new("ip_admission", r#"{ deny_file = "other.txt" }"#);
    let End::Error(message) = bench.run("init") else { panic!("it was taken") };
    assert!(message.contains("file `other.txt` is not part of the policy"), "{message}");
}

#[test]
fn a_known_key_is_admitted_and_its_consumer_told() {
    let conf = r#"{ keys = { shop = "s3cret" }, query = "key" }"#;
    let bench = Bench::new("api_key", conf)
        .with_header("X-Api-Key", "s3cret")
        .with_header("x_consumer", "root");
    assert_eq!(bench.run("access"), End::Went);
    assert_eq!(bench.eval("ngx.ctx.consumer"), "shop");
    assert_eq!(bench.request_header("X-Consumer").as_deref(), Some("shop"));
    assert_eq!(bench.request_header("x_consumer"), None);
    assert_eq!(bench.request_header("X-Api-Key"), None);
    let bench = Bench::new("api_key", conf).lua("ngx.var.arg_key = 's3cret'");
    assert_eq!(bench.run("access"), End::Went);
}

#[test]
fn no_key_an_unknown_key_and_two_keys_are_refused() {
    let conf = r#"{ keys = { shop = "s3cret" } }"#;
    let none = Bench::new("api_key", conf);
    let unknown = Bench::new("api_key", conf).with_header("X-Api-Key", "s3cre");
    let query = Bench::new("api_key", conf).lua("ngx.var.arg_key = 's3cret'");
    let two = Bench::new("api_key", conf)
        .with_header("X-Api-Key", "s3cret")
        .with_header("X-Api-Key", "other");
    for bench in [none, unknown, query, two] {
        assert_eq!(bench.run("access"), End::Exit(401));
        assert_eq!(bench.eval("ngx.header['WWW-Authenticate']"), "ApiKey");
    }
}

/// bcrypt of `opensesame` at cost 4, and argon2id of `opensesame` at 64 KiB.
fn users() -> String {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let bcrypt = bcrypt::hash("opensesame", 4).unwrap();
    let params = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let salt = SaltString::encode_b64(b"salt of the earth").unwrap();
    let argon = argon.hash_password(b"opensesame", &salt).unwrap();
    format!("ali:{bcrypt}\nbaba:{argon}\n")
}

#[test]
fn the_right_password_is_admitted_and_no_other() {
    let users = users();
    let files: &[(&str, &[u8])] = &[("users", users.as_bytes())];
    for (credentials, end) in [
        ("ali:opensesame", End::Went),
        ("ali:opensesame", End::Went),
        ("baba:opensesame", End::Went),
        ("ali:opensesam", End::Exit(401)),
        ("baba:", End::Exit(401)),
        ("nobody:opensesame", End::Exit(401)),
        ("ali:opensesame\0x", End::Exit(401)),
        ("no colon", End::Exit(401)),
    ] {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        let bench = Bench::with_files(
            "basic_auth",
            r#"{ users_file = { "users" }, realm = 'a"b' }"#,
            files,
        )
        .with_header("Authorization", &format!("Basic {encoded}"))
        .with_header("X-Remote-User", "root");
        assert_eq!(bench.run("init"), End::Went);
        assert_eq!(bench.run("access"), end, "{credentials:?}");
        if end == End::Went {
            let user = credentials.split(':').next().unwrap();
            assert_eq!(bench.eval("ngx.ctx.user"), user);
            assert_eq!(bench.request_header("X-Remote-User").as_deref(), Some(user));
            assert_eq!(bench.request_header("Authorization"), None);
        } else {
            let challenge = bench.eval("ngx.header['WWW-Authenticate']");
            assert_eq!(challenge, r#"Basic realm="ab", charset="UTF-8""#);
        }
    }
}

#[test]
fn an_id_is_made_or_kept_where_it_is_trusted_and_harmless() {
    let own = "0123456789abcdef0123456789abcdef";
    for (conf, sent, id) in [
        ("{}", "abc", own),
        ("{ trust = true }", "abc-1", "abc-1"),
        ("{ trust = true }", "a b\"", own),
        ("{ trust = true }", "", own),
    ] {
        let bench = Bench::new("request_id", conf).with_header("X-Request-Id", sent);
        assert_eq!(bench.run("rewrite"), End::Went);
        assert_eq!(bench.run("header_filter"), End::Went);
        assert_eq!(bench.request_header("x-request-id").as_deref(), Some(id));
        assert_eq!(bench.eval("ngx.header['X-Request-Id']"), id);
    }
}

#[test]
fn headers_are_added_where_the_application_set_none_and_those_that_tell_too_much_go() {
    let bench = Bench::new("security_headers", r#"{ set = { ["X-Robots-Tag"] = "none" } }"#)
        .lua("ngx.header.Server = 'Apache/2.4'; ngx.header['X-Frame-Options'] = 'DENY'");
    assert_eq!(bench.run("header_filter"), End::Went);
    for (name, value) in [
        ("Server", "nil"),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("X-Robots-Tag", "none"),
        ("Strict-Transport-Security", "nil"),
        ("Content-Security-Policy", "nil"),
    ] {
        assert_eq!(bench.eval(&format!("ngx.header['{name}']")), value, "{name}");
    }
}

#[test]
fn settings_go_before_the_defaults_and_with_override_before_the_application() {
    let conf = r#"{ frame_options = "", referrer_policy = "no-referrer", override = true,
        hsts = "max-age=60", remove = "X-None" }"#;
    let bench = Bench::new("security_headers", conf).lua(
        "ngx.var.scheme = 'https'; ngx.header['Referrer-Policy'] = 'origin'; ngx.header.Server = 'x'",
    );
    assert_eq!(bench.run("header_filter"), End::Went);
    for (name, value) in [
        ("X-Frame-Options", "nil"),
        ("Referrer-Policy", "no-referrer"),
        ("Strict-Transport-Security", "max-age=60"),
        ("Server", "x"),
    ] {
        assert_eq!(bench.eval(&format!("ngx.header['{name}']")), value, "{name}");
    }
}
