//! Scripts that have a say in TLS handshakes.

use std::time::Instant;

use super::{Workshop, with};
use crate::support::{DEADLINE, Moongate, wait_until};

/// Certificates in a shared dictionary, by host; whom nobody knows fails.
const FROM_DICTIONARY: &str = "\
listen: [{ address: 127.0.0.1:0, tls: {} }]
lua: { shared_dict: { certificates: 1MiB }, budget: { wait: 500ms } }
ssl_certificate_by_lua_block: |
  local ssl = require('ngx.ssl')
  local name = ssl.server_name()
  ngx.sleep(0.02)
  local certificate = ngx.shared.certificates:get(name .. ' certificate')
  if not certificate then return ngx.exit(ngx.ERROR) end
  assert(ssl.clear_certs())
  assert(ssl.set_der_cert(assert(ssl.cert_pem_to_der(certificate))))
  local key = ngx.shared.certificates:get(name .. ' key')
  assert(ssl.set_der_priv_key(assert(ssl.priv_key_pem_to_der(key))))
  ngx.ctx.chosen = name
content_by_lua_block: |
  ngx.ctx.seen = (ngx.ctx.seen or 0) + 1
  ngx.print(ngx.ctx.chosen, ' ', ngx.ctx.seen)
";

#[test]
fn a_certificate_comes_from_a_shared_dictionary() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let init = "init_by_lua_block: |\n  local known = ngx.shared.certificates\n";
    let told = |text: &[u8]| String::from_utf8_lossy(text).replace('\n', "\\n");
    let init = format!(
        "{init}  known:set('shop.example certificate', \"{}\")\n  known:set('shop.example key', \"{}\")\n",
        told(&shop.certificate),
        told(&shop.key)
    );
    let moongate = Moongate::start(&format!("{FROM_DICTIONARY}{init}"));
    let port = moongate.address.port();
    let more = format!("--cacert shop.example.pem https://shop.example:{port}/");
    let said = workshop.curl(&moongate, "shop.example", &more).unwrap();
    assert_eq!(said, "shop.example 1shop.example 1", "each request begins with the connection's");
    assert!(workshop.curl(&moongate, "other.example", "-k").is_err());
    assert!(wait_until(DEADLINE, || {
        moongate.metric("moongate_tls_handshakes_total{outcome=\"refused\"}") == 1.0
    }));
}

/// A handler of `ssl_certificate`, and what it must say in the log.
const FAILING: &[(&str, &str)] = &[
    ("error('no luck')", "no luck"),
    ("while true do end", "CPU"),
    ("ngx.sleep(30)", "wait"),
    ("ngx.exit(ngx.ERROR)", ""),
    ("ngx.exit(503)", ""),
    ("ngx.var.uri = 'x'", "API disabled in the context of ssl_certificate_by_lua*"),
    ("return ngx.say('x')", "API disabled in the context of ssl_certificate_by_lua*"),
    ("require('ngx.ssl').clear_certs()", "no certificate"),
];

#[test]
fn a_script_that_does_not_come_to_its_end_ends_the_handshake() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    for (script, told) in FAILING {
        let config = format!(
            "listen: [{{ address: 127.0.0.1:0, tls: {} }}]\nlua: {{ budget: {{ cpu: 50ms, wait: 300ms }} }}\nssl_certificate_by_lua_block: |\n  if require('ngx.ssl').server_name() == 'shop.example' then {script} end\ncontent_by_lua_block: ngx.print('served')\n",
            super::SHOP
        );
        let moongate = with(&config, &[("shop", &shop)]).start();
        let began = Instant::now();
        let said = workshop.curl(&moongate, "shop.example", "-k");
        assert!(said.is_err(), "{script}: {said:?}");
        assert!(began.elapsed().as_secs() < 15, "{script}");
        moongate.wait_for_log(told);
        assert_eq!(
            workshop.curl(&moongate, "other.example", "-k").as_deref(),
            Ok("served"),
            "{script}"
        );
    }
}

#[test]
fn a_script_that_waits_keeps_nobody_waiting() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = format!(
        "workers: 1\nlisten: [{{ address: 127.0.0.1:0, tls: {} }}]\nssl_client_hello_by_lua_block: |\n  if require('ngx.ssl.clienthello').get_client_hello_server_name() == 'slow.example' then ngx.sleep(3) end\ncontent_by_lua_block: ngx.print('served')\n",
        super::SHOP
    );
    let moongate = with(&config, &[("shop", &shop)]).start();
    let (workshop, moongate) = (&workshop, &moongate);
    std::thread::scope(|scope| {
        let slow = scope.spawn(move || workshop.curl(moongate, "slow.example", "-k"));
        let began = Instant::now();
        for _ in 0..5 {
            assert!(workshop.curl(moongate, "shop.example", "-k").is_ok());
        }
        assert!(began.elapsed().as_secs() < 3 && !slow.is_finished());
        assert!(slow.join().unwrap().is_ok());
    });
}

#[test]
fn a_script_reads_the_hello_and_chooses_the_version() {
    let workshop = Workshop::new();
    let shop = workshop.own("shop.example", 2);
    let config = format!(
        "listen: [{{ address: 127.0.0.1:0, tls: {} }}]
ssl_client_hello_by_lua_block: |
  local hello = require('ngx.ssl.clienthello')
  local ssl = require('ngx.ssl')
  ngx.ctx.told = table.concat({{
    hello.get_client_hello_server_name(), #hello.get_client_hello_ciphers(),
    #hello.get_client_hello_ext_present(), table.concat(hello.get_supported_versions(), '+'),
    #hello.get_client_hello_ext(0), tostring(hello.get_client_hello_ext(0x4444)),
    #ssl.get_client_random(), ssl.get_tls1_version_str(), ngx.get_phase(),
  }}, ' ')
  assert(hello.set_protocols({{ 'TLSv1.1', 'TLSv1.2' }}))
content_by_lua_block: ngx.print(ngx.var.ssl_protocol, ' ', ngx.ctx.told, ' ', require('ngx.ssl').get_tls1_version_str())
",
        super::SHOP
    );
    let moongate = with(&config, &[("shop", &shop)]).start();
    let said = workshop.curl(&moongate, "shop.example", "-k").unwrap();
    let words: Vec<&str> = said.split(' ').collect();
    assert_eq!(words[0], "TLSv1.2");
    assert_eq!(words[1], "shop.example");
    assert!(words[2].parse::<u32>().unwrap() > 3 && words[3].parse::<u32>().unwrap() > 5, "{said}");
    assert!(words[4].contains("TLSv1.2") && words[4].contains("TLSv1.3"), "{said}");
    assert_eq!(words[5..], ["17", "nil", "32", "TLSv1.3", "ssl_client_hello", "TLSv1.2"]);
}

#[test]
fn a_script_asks_for_a_certificate_and_sees_what_it_is_worth() {
    let workshop = Workshop::new();
    let (shop, _) = (workshop.own("shop.example", 2), workshop.own("stranger.example", 2));
    let authority = workshop.own("authority.example", 2);
    workshop.signed("anna", "authority.example", "extendedKeyUsage=clientAuth");
    let config = format!(
        "listen: [{{ address: 127.0.0.1:0, tls: {} }}]\nssl_certificate_by_lua_block: |\n  local ssl = require('ngx.ssl')\n  assert(ssl.verify_client(assert(ssl.parse_pem_cert(\"{}\")), 1))\ncontent_by_lua_block: ngx.print(ngx.var.ssl_client_verify)\n",
        super::SHOP,
        String::from_utf8_lossy(&authority.certificate).replace('\n', "\\n")
    );
    let moongate = with(&config, &[("shop", &shop)]).start();
    let ask = |more: &str| workshop.curl(&moongate, "shop.example", &format!("-k {more}"));
    assert_eq!(ask("").as_deref(), Ok("NONE"));
    assert_eq!(ask("--cert anna.pem --key anna.key").as_deref(), Ok("SUCCESS"));
    let stranger = ask("--cert stranger.example.pem --key stranger.example.key");
    assert_eq!(stranger.as_deref(), Ok("FAILED:self-signed certificate"));
}

/// Has openssl answer as the certificate's issuer.
fn answered(workshop: &Workshop, status: &str) -> Vec<u8> {
    let serial = workshop.openssl("x509 -in leaf.example.pem -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let line = match status {
        "good" => format!("V\t300101000000Z\t\t{serial}\tunknown\t/CN=leaf.example\n"),
        _ => format!("R\t300101000000Z\t200101000000Z\t{serial}\tunknown\t/CN=leaf.example\n"),
    };
    std::fs::write(workshop.path("index"), line).unwrap();
    workshop.openssl(
        "ocsp -index index -rsigner authority.example.pem -rkey authority.example.key -CA \
         authority.example.pem -issuer authority.example.pem -cert leaf.example.pem -reqout request \
         -no_nonce",
    );
    workshop.openssl(
        "ocsp -index index -rsigner authority.example.pem -rkey authority.example.key -CA \
         authority.example.pem -reqin request -respout response -ndays 1",
    );
    std::fs::read(workshop.path("response")).unwrap()
}

fn quoted(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[test]
fn what_the_issuer_says_is_verified_and_stapled() {
    let workshop = Workshop::new();
    let authority = workshop.own("authority.example", 2);
    let extensions =
        "authorityInfoAccess=OCSP;URI:http://ocsp.example/ask\nsubjectAltName=DNS:leaf.example";
    let mut leaf = workshop.signed("leaf.example", "authority.example", extensions);
    leaf.certificate.extend_from_slice(&authority.certificate);
    let good = answered(&workshop, "good");
    let request = std::fs::read(workshop.path("request")).unwrap();
    let revoked = answered(&workshop, "revoked");
    let config = format!(
        "listen: [{{ address: 127.0.0.1:0, tls: {{ certificate: shop.pem, key: shop.key }} }}]
lua: {{ budget: {{ cpu: 5s }} }}
ssl_certificate_by_lua_block: |
  local ssl, ocsp = require('ngx.ssl'), require('ngx.ocsp')
  local chain = assert(ssl.cert_pem_to_der(\"{}\"))
  assert(ocsp.get_ocsp_responder_from_der_chain(chain) == 'http://ocsp.example/ask')
  assert(ocsp.create_ocsp_request(chain) == \"{}\")
  local good, revoked = \"{}\", \"{}\"
  local ok, until_when = ocsp.validate_ocsp_response(good, chain)
  assert(ok, until_when)
  assert(until_when > ngx.time())
  local ok, err = ocsp.validate_ocsp_response(revoked, chain)
  assert(not ok and err == 'certificate status \"revoked\" in the OCSP response', err)
  for at = 1, 150, 10 do
    local forged = good:sub(1, at) .. string.char((good:byte(at + 1) + 1) % 256) .. good:sub(at + 2)
    assert(not ocsp.validate_ocsp_response(forged, chain), at)
  end
  assert(not ocsp.validate_ocsp_response(good:sub(1, -2), chain))
  assert(ocsp.set_ocsp_status_resp(good))
content_by_lua_block: ngx.print('served')
",
        String::from_utf8_lossy(&leaf.certificate).replace('\n', "\\n"),
        quoted(&request),
        quoted(&good),
        quoted(&revoked),
    );
    let moongate = with(&config, &[("shop", &leaf)]).start();
    let said = workshop.curl(&moongate, "leaf.example", "--cacert authority.example.pem");
    assert_eq!(said.as_deref(), Ok("served"), "{}", moongate.log());
    let port = moongate.address.port();
    let said = workshop
        .openssl(&format!("s_client -connect 127.0.0.1:{port} -servername leaf.example -status"));
    assert!(said.contains("OCSP Response Status: successful"), "{said}");
}
