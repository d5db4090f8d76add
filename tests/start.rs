//! Starting and stopping: what is wrong is told with its next step, and nobody in flight is cut off.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Answer, Builder, Moongate, Upstream, command, pause, wait_until};

/// Settings that serve something.
const SERVES: &str = "content_by_lua_block: ngx.print('served')\n";

/// It ends with 1 and says all of these.
fn refused(builder: Builder, said: &[&str]) {
    let output = builder.refused();
    assert_eq!(output.code, 1, "{}", output.stderr);
    for words in said {
        assert!(output.stderr.contains(words), "`{words}` is not in:\n{}", output.stderr);
    }
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

#[test]
fn an_address_in_use_is_told_with_the_next_step() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["listen", "admin"] {
        let builder = Moongate::with(&format!("{key}: {address}\n{SERVES}"));
        refused(builder, &[&address, "another program listens there", "ss -ltnp", key]);
    }
}

#[test]
fn an_address_of_another_machine_is_told_as_such() {
    let builder = Moongate::with(&format!("listen: 192.0.2.1:8080\n{SERVES}"));
    refused(builder, &["192.0.2.1:8080", "this machine has no such address"]);
}

#[test]
fn settings_that_cannot_be_read_are_named() {
    for (path, why) in [("nowhere.yaml", "No such file"), ("/", "not a regular file")] {
        let output = command(&["run", "-c", path]);
        assert_eq!(output.code, 1, "{output:?}");
        for words in [path, why, "-c FILE"] {
            assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
        }
    }
}

#[test]
fn settings_that_are_no_text_are_told_so() {
    refused(
        Moongate::with(SERVES).file("moongate.yaml", b"listen: \xff\xfe\n"),
        &["moongate.yaml"],
    );
    refused(Moongate::with(SERVES).file("moongate.yaml", b"\x00\x01\x02"), &["moongate.yaml"]);
}

#[test]
fn a_script_that_does_not_compile_is_shown_at_its_line() {
    let page = Moongate::with("content_by_lua_file: page.lua");
    refused(page.file("page.lua", "local x = 1\nlocal y = x +* 2\n"), &["page.lua:2:", "^"]);
    let block = "content_by_lua_block: |\n  local x = 1\n  if x then\n  ngx.print(x)\n";
    refused(Moongate::with(block), &["moongate.yaml:", "^"]);
}

#[test]
fn a_script_that_fails_as_it_begins_is_shown_at_its_line() {
    for key in ["init", "init_worker"] {
        let config = format!("{key}_by_lua_file: begin.lua\n{SERVES}");
        let builder = Moongate::with(&config).file("begin.lua", "\n\nerror('no luck')\n");
        refused(builder, &["begin.lua:3:", "no luck", "^"]);
    }
}

#[test]
fn a_script_that_is_not_there_is_named_where_it_is_asked_for() {
    let builder = Moongate::with("watch: true\naccess_by_lua_file: lua/nowhere.lua\n");
    refused(builder, &["lua/nowhere.lua", "moongate.yaml:2:21", "there is no such file", "^"]);
}

#[test]
fn a_module_that_is_not_there_is_told_with_the_nearest_one() {
    let builtin = Moongate::with(&format!("access: [ip_admision]\n{SERVES}"));
    refused(builtin, &["ip_admision", "did you mean `ip_admission`"]);
    let own = Moongate::with(&format!("access: [tea_pot]\n{SERVES}"));
    let own = own.file("lua/modules/teapot.lua", "return { access = function() end }");
    refused(own, &["tea_pot", "did you mean `teapot`"]);
}

#[test]
fn key_material_that_cannot_be_used_is_named() {
    let with = |settings: &str| {
        let jwt = format!("access:\n  - module: jwt\n    with: {{ {settings} }}\n{SERVES}");
        Moongate::with(&jwt).file("garbage.pem", "-----BEGIN RUBBISH-----\nAAAA\n")
    };
    refused(with("jwks_file: nowhere.json"), &["nowhere.json", "cannot be read", "moongate.yaml"]);
    refused(with("jwks_file: garbage.pem"), &["garbage.pem"]);
    refused(with("public_key_file: nowhere.pem, algorithms: [RS256]"), &["nowhere.pem"]);
    refused(with("public_key_file: garbage.pem, algorithms: [RS256]"), &["garbage.pem"]);
}

#[test]
fn an_admin_address_for_everybody_wants_a_token() {
    let builder = Moongate::with(&format!("admin: 0.0.0.0:0\n{SERVES}"));
    refused(builder, &["0.0.0.0:0", "token", "127.0.0.1"]);
}

#[test]
fn a_log_that_cannot_be_written_is_told() {
    let builder = Moongate::with(&format!("access_log: [{{ to: taken/access.log }}]\n{SERVES}"));
    refused(builder.file("taken", ""), &["taken/access.log"]);
}

/// A body past memory's limit on this folder: 503, a word to the operator, and life goes on.
fn cannot_spool(moongate: &Moongate, upstream: &Upstream) {
    let answer = moongate.post("/", vec![b'x'; 1 << 20]);
    assert_eq!(answer.status, 503);
    moongate.wait_for_log("a request body could not be spooled");
    moongate.wait_for_log("free space there");
    assert_eq!(upstream.requests(), 0);
    assert_eq!(moongate.post("/echo", "short").text(), "short", "the next request is served");
}

#[test]
fn a_folder_that_cannot_be_written_fails_the_body_and_nothing_else() {
    let upstream = Upstream::start();
    let config = "state_dir: taken\nlimits: { body_memory: 64KiB }\n";
    let moongate = Moongate::with_upstream(&upstream, config).file("taken", "").start();
    cannot_spool(&moongate, &upstream);
}

#[test]
fn a_full_disk_fails_the_body_and_nothing_else() {
    let disk = tempfile::tempdir().unwrap();
    let folder = disk.path().to_str().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder];
    if !Command::new("mount").args(mount).status().is_ok_and(|status| status.success()) {
        // Said past the capture of a test's output, so that it can be counted.
        let _ = writeln!(std::io::stderr(), "skipped: a full disk: nothing may be mounted here");
        return;
    }
    let upstream = Upstream::start();
    let config = format!("state_dir: {folder}\nlimits: {{ body_memory: 64KiB }}\n");
    let moongate = Moongate::with_upstream(&upstream, &config).start();
    cannot_spool(&moongate, &upstream);
    drop(moongate);
    assert!(Command::new("umount").arg(folder).status().unwrap().success());
}

#[test]
fn requests_in_flight_end_and_idle_connections_are_closed() {
    let upstream = Upstream::start();
    upstream.answer("/slow", Answer::text("whole").after(Duration::from_secs(1)));
    let mut moongate = Moongate::before(&upstream, "");
    let (mut busy, mut idle) = (moongate.connect(), moongate.connect());
    assert_eq!(idle.ask("/").read().status, 200);
    busy.ask("/slow");
    pause(Duration::from_millis(200));
    let address = moongate.address;
    moongate.signal("TERM");
    assert!(idle.closed(), "idle connections are closed at once");
    let gone = || TcpStream::connect(address).is_err();
    assert!(wait_until(Duration::from_millis(500), gone), "new connections are still taken");
    let answer = busy.read();
    assert_eq!((answer.status, answer.text().as_str()), (200, "whole"));
    assert!(busy.closed(), "and its connection ends");
    assert_eq!(moongate.wait().code(), Some(0));
}

#[test]
fn readiness_ends_before_the_process_does() {
    let upstream = Upstream::start();
    upstream.answer("/slow", Answer::text("whole").after(Duration::from_secs(1)));
    let mut moongate = Moongate::before(&upstream, "");
    assert_eq!(moongate.ask_admin("GET", "/readyz").status, 200);
    let mut busy = moongate.connect();
    busy.ask("/slow");
    pause(Duration::from_millis(200));
    moongate.signal("TERM");
    let draining = || moongate.ask_admin("GET", "/readyz").status == 503;
    assert!(wait_until(Duration::from_millis(700), draining));
    assert_eq!(moongate.ask_admin("GET", "/healthz").status, 200);
    assert_eq!(moongate.reload().status, 503);
    assert_eq!(busy.read().text(), "whole");
    assert_eq!(moongate.wait().code(), Some(0));
}

/// One whose only request never ends.
fn never_done(config: &str) -> (Moongate, Upstream, crate::support::Client) {
    let upstream = Upstream::start();
    upstream.answer("/never", Answer::never());
    let moongate = Moongate::before(&upstream, config);
    let mut busy = moongate.connect();
    busy.ask("/never");
    upstream.wait_for(1);
    (moongate, upstream, busy)
}

#[test]
fn past_the_grace_nobody_is_waited_for() {
    let (mut moongate, _upstream, _busy) = never_done("grace: 500ms");
    let began = Instant::now();
    assert_eq!(moongate.stop().code(), Some(0));
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_second_signal_ends_the_grace() {
    for signal in ["TERM", "INT"] {
        let (mut moongate, _upstream, _busy) = never_done("grace: 60s");
        moongate.signal("TERM");
        pause(Duration::from_millis(300));
        assert!(moongate.runs(), "it waits for the request");
        moongate.signal(signal);
        let began = Instant::now();
        assert_eq!(moongate.wait().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn an_idle_appliance_stops_at_once() {
    let mut moongate = Moongate::start(&format!("grace: 60s\n{SERVES}"));
    let _idle = moongate.connect();
    let began = Instant::now();
    assert_eq!(moongate.stop().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn open_files_are_allowed_as_far_as_the_system_lets() {
    let upstream = Upstream::start();
    let moongate = Moongate::before(&upstream, "");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", moongate.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "soft and hard: {files}");
}
