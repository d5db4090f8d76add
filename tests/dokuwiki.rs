//! A wiki behind the base rules: people write about code, quote, paste and search in it, and are
//! never refused.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{DEADLINE, Moongate, resting_events, wait_until};

/// Where Debian's package has the program and its settings.
const PROGRAM: &str = "/usr/share/dokuwiki";
const SETTINGS: &str = "/etc/dokuwiki";
/// Who may edit: name, MD5 of the password that the session knows, whole name, mail, groups.
const EDITOR: &str =
    "chang-e:01567152b877b2ee42da320d148c9d41:Chang'e O'Moon:chang-e@example.org:admin,user\n";

#[test]
fn people_write_and_search_in_a_wiki_and_are_never_refused() {
    let wiki = Wiki::start();
    let moongate = Moongate::start(&format!(
        "upstreams: {{ app: {{ peers: ['{}'] }} }}\nevents: events.jsonl\nrules: {{ files: [base] }}\n",
        wiki.address
    ));
    let session = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dokuwiki/session");
    let output = Command::new("python3").args([session, &moongate.url("/")]).output();
    let output = output.expect("python3 is there (tests/run installs it)");
    let said = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    let events = resting_events(&moongate);
    assert!(output.status.success(), "{said}{trouble}{events}");
    assert!(said.lines().count() >= 20, "{said}");
    assert_eq!(events, "");
    let attack = moongate.get("/doku.php?id=start&q='+union+select+1,2,3--+-");
    assert_eq!(attack.status, 403, "the rules are there");
}

/// DokuWiki on PHP's own server; what it writes is in a temporary folder.
struct Wiki {
    address: SocketAddr,
    server: Child,
    _folder: TempDir,
}

impl Wiki {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let prepend = furnish(folder.path());
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a free port");
        let server = Command::new("php")
            .args(["-S", &address.to_string(), "-t", PROGRAM, "-d"])
            .arg(format!("auto_prepend_file={}", prepend.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("php is there (tests/run installs it)");
        let listens = wait_until(DEADLINE, || TcpStream::connect(address).is_ok());
        assert!(listens, "php does not listen");
        Self { address, server, _folder: folder }
    }
}

impl Drop for Wiki {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Settings and empty folders for a wiki of its own; the file that tells PHP where they are.
fn furnish(folder: &Path) -> std::path::PathBuf {
    let settings = folder.join("conf");
    fs::create_dir(&settings).expect("a folder");
    let files = fs::read_dir(SETTINGS).expect("dokuwiki is there (tests/run installs it)");
    // Debian's own `local.php` and links to lists of users are of the machine's wiki.
    for entry in files.flatten().filter(|entry| entry.file_name() != "local.php") {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(entry.path(), settings.join(entry.file_name())).expect("a copy");
        }
    }
    let data = folder.join("data");
    for name in [
        "attic",
        "cache",
        "index",
        "locks",
        "log",
        "media",
        "media_attic",
        "media_meta",
        "meta",
        "pages",
        "tmp",
    ] {
        fs::create_dir_all(data.join(name)).expect("a folder");
    }
    let local = format!(
        "<?php\n$conf['savedir'] = '{}';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n\
         $conf['passcrypt'] = 'md5';\n$conf['disableactions'] = '';\n$conf['updatecheck'] = 0;\n",
        data.display()
    );
    let put = |name: &str, text: &str| fs::write(settings.join(name), text).expect("a file");
    put("local.php", &local);
    put("users.auth.php", EDITOR);
    put("acl.auth.php", "*\t@ALL\t8\n");
    let prepend = folder.join("prepend.php");
    let text = format!("<?php define('DOKU_CONF', '{}/');\n", settings.display());
    fs::write(&prepend, text).expect("a file");
    prepend
}
