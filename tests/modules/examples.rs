//! The scripts of `lua/examples`, as their configuration runs them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use crate::support::{Answer, DEADLINE, Moongate, Upstream, wait_until};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lua/");

/// The configuration of the examples, with a test's ports, and its scripts.
fn start(app: &Upstream, reports: &Upstream, collector: u16) -> Moongate {
    let read = |path: &str| std::fs::read_to_string(format!("{FOLDER}{path}")).unwrap();
    let ports = |text: String| {
        text.replace("5140", &collector.to_string())
            .replace("127.0.0.1:3000", &app.address.to_string())
            .replace("127.0.0.1:3001", &reports.address.to_string())
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("127.0.0.1:9180", "127.0.0.1:0")
            .replace("../", "")
    };
    let mut builder = Moongate::with(&ports(read("examples/moongate.yaml")));
    for script in std::fs::read_dir(format!("{FOLDER}examples")).unwrap() {
        let name = script.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".lua") {
            builder = builder.file(&name, read(&format!("examples/{name}")));
        }
    }
    for path in ["lib/shipper.lua", "functions/hello.lua"] {
        builder = builder.file(path, ports(read(path)));
    }
    builder.start()
}

#[test]
fn every_example_does_what_it_says() {
    let (app, reports) = (Upstream::start(), Upstream::start());
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let moongate = start(&app, &reports, collector.local_addr().unwrap().port());

    // init and rewrite
    let moved = moongate.get("/shop.php");
    assert_eq!((moved.status, moved.header("location")), (301, Some("/")));
    // init_worker and rewrite
    let warm = moongate.get("/status");
    assert_eq!((warm.status, warm.header("x-cache")), (200, Some("hit")));
    assert!(warm.text().starts_with("all is well at 20"), "{}", warm.text());
    // set, rewrite and header_filter
    app.answer("/", Answer::with(200, &[("X-Powered-By", "PHP")], "home"));
    let beta = moongate.request("GET", "/", &[("Cookie", "branch=beta")], "");
    assert_eq!((beta.header("x-branch"), beta.header("x-powered-by")), (Some("beta"), None));
    assert_eq!(beta.header("cache-control"), Some("no-store"));
    assert_eq!(app.last().header("x-branch"), Some("beta"));
    // rewrite: another upstream
    assert_eq!(moongate.get("/reports/1").status, 200);
    assert_eq!((reports.requests(), reports.last().target), (1, "/reports/1".to_owned()));
    // access
    for (path, headers, status) in [
        ("/private/x", &[][..], 404),
        ("/office", &[], 200),
        ("/api/x", &[], 401),
        ("/api/x", &[("X-Api-Key", "open-sesam")], 401),
        ("/api/x", &[("X-Api-Key", "open-sesame")], 200),
    ] {
        assert_eq!(moongate.request("GET", path, headers, "").status, status, "{path} {headers:?}");
    }
    // content
    let echo = moongate.post("/echo?a=1", "abc").text();
    assert_eq!(
        echo,
        "POST /echo?a=1\nfrom 127.0.0.1\n3 bytes, md5 900150983cd24fb0d6963f7d28e17f72\n"
    );
    assert_eq!(moongate.get("/hello?name=moon").text(), "hello, moon\n");
    assert_eq!(moongate.get("/hello?name=%3Cb%3E").text(), "hello, world\n");
    // body_filter
    let pieces: [&[u8]; 4] = [b"sh", b"out ", b"\xc3", b"\xa9!"];
    app.answer(
        "/loud",
        Answer::chunked(&[("Content-Type", "text/plain")], &pieces, Default::default()),
    );
    assert_eq!(moongate.get("/loud").text(), "SHOUT é!");
    // log
    assert!(wait_until(DEADLINE, || moongate.log().contains("GET /loud")), "{}", moongate.log());
    let (stream, _) = collector.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let line = BufReader::new(stream).lines().next().unwrap().unwrap();
    assert!(line.contains(r#"127.0.0.1 "GET /"#), "{line}");
}
