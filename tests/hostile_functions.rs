//! Functions of somebody who wants to do harm, beside one of somebody who does not: each is refused
//! when it is pushed, or ends its calls with an answer within its limits; the other is served on by
//! every worker, and nothing was reached that was not granted.
//!
//! A function of our own is a file of `tests/hostile_functions`. Its first comments say what it tries,
//! and may say more: `-- calls: 8` (at once), `-- answers: 200 503` (nothing else will do; `closed`: no
//! answer), `-- refused: words` (it is not taken, and those words are among the reasons).

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::support::{Client, Moongate, Response, Upstream, shared, wait_until};

/// How many scripts the shared folder holds.
const SHARED: usize = 61;
/// How many functions are our own, at the least.
const OWN: usize = 45;
/// How long a call may take in all. Generous: its own limits are 50 ms of CPU and 1 s of waiting.
const DEADLINE: Duration = Duration::from_secs(60);
/// What the process may hold more at its worst moment than before a function came: the dearest password
/// hash that is checked takes 256 MiB, and only one is at a time.
const PEAK: usize = 320 << 20;
/// What it may hold more when all are gone.
const LEFT: usize = 96 << 20;
/// What one function may make it write to its logs: 200 lines of 2 KiB in a second, for some seconds.
const LOGGED: usize = 8 << 20;

const TOKEN: &str = "f00d5eed0badc0de";
const CANARY_FILE: &str = "the canary of the file";
const CANARY_LINE: &str = "the canary of the listener";

const CONFIG: &str = "admin: { address: 127.0.0.1:0, token_file: token }
workers: 2
owners: { alice: { dictionaries: [alices] }, mallory: { dictionaries: [mallorys] } }
lua: { shared_dict: { alices: 1m, mallorys: 1m, vault: 1m }, network: ['127.0.0.1:*'] }
init_by_lua_block: |
  ngx.shared.vault:set('key', 'the canary of the vault')
log_by_lua_block: |
  local seen = ngx.ctx
";

/// Counts for itself and in the dictionary that she was granted; checks that the world is sane.
const ALICE: &str = r##"
local calls = 0
local function sane()
    assert(("a,b"):find(",", 1, true) == 2 and ("x"):rep(3) == "xxx" and ("Ab"):lower() == "ab")
    local t = {3, 1, 2} table.sort(t) assert(table.concat(t) == "123")
    assert(_G.leaked == nil and package.loaded.leaked == nil)
    assert(ngx.ctx.leaked == nil and ngx.var.leaked == nil and not ngx.shared.mallorys)
    assert(getmetatable("").__index == nil or getmetatable("") == "locked" or ("x").rep == string.rep)
end
return {
    declares = { dictionaries = { "alices" }, limits = { cpu = "2s" } },
    content = function()
        sane()
        calls = calls + 1
        local all = ngx.shared.alices:incr("calls", 1, 0)
        ngx.say("alice ", ngx.worker.id(), " ", calls, " ", all)
    end,
}
"##;

/// A Moongate with alice's function, and what nobody was granted.
struct Site {
    moongate: Moongate,
    _upstream: Upstream,
    canary: Canary,
    /// Calls of alice, by worker, and in all.
    alice: [u64; 2],
}

/// A listener that nobody may reach.
struct Canary {
    port: u16,
    reached: Arc<AtomicUsize>,
}

/// What is to become of a function.
struct Attack {
    name: String,
    text: String,
    calls: usize,
    answers: Vec<String>,
    refused: Option<String>,
}

impl Canary {
    fn sing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let reached = Arc::<AtomicUsize>::default();
        let counted = reached.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::AcqRel);
                let _ = std::io::Write::write_all(&mut &stream, CANARY_LINE.as_bytes());
            }
        });
        Self { port, reached }
    }
}

impl Attack {
    fn new(name: &str, text: String) -> Self {
        let said = |key: &str| {
            let comments = text.lines().map_while(|line| line.strip_prefix("--"));
            comments.filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).next()
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            name: name.trim_end_matches(".lua").to_lowercase(),
            calls: said("calls:").map_or(2, |count| count.parse().expect("a number")),
            answers: said("answers:").map(words).unwrap_or_default(),
            refused: said("refused:").map(str::to_owned),
            text,
        }
    }
}

impl Site {
    fn start() -> Self {
        let upstream = Upstream::start();
        let moongate = Moongate::with_upstream(&upstream, CONFIG)
            .file("token", format!("{TOKEN}\n"))
            .file("canary.txt", CANARY_FILE)
            .start();
        let mut site =
            Self { moongate, _upstream: upstream, canary: Canary::sing(), alice: [0; 2] };
        let pushed = site.push("alice", "alice", "/alice", ALICE);
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        site.ask_alice().expect("alice is served before anybody else comes");
        site
    }

    fn admin(&self, method: &str, path: &str, body: &str) -> Response {
        let host = self.moongate.admin.to_string();
        let length = body.len();
        let mut client = Client::connect(self.moongate.admin);
        client.patience(DEADLINE).send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer \
             {TOKEN}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        client.read()
    }

    fn push(&self, owner: &str, name: &str, route: &str, text: &str) -> Response {
        let path = format!("/functions/{name}?owner={owner}&route={route}&activate");
        self.admin("PUT", &path, text)
    }

    /// Alice's answer from each of the workers, right.
    fn ask_alice(&mut self) -> Result<(), String> {
        let (mut asked, mut seen) = (0, [false; 2]);
        while seen != [true; 2] {
            asked += 1;
            if asked > 400 {
                return Err("one of the workers does not answer".to_owned());
            }
            let answer = self.call("/alice").ok_or("alice is not answered")?;
            let worker = usize::from(answer.text().starts_with("alice 1"));
            let all: u64 = self.alice.iter().sum::<u64>() + 1;
            let own = self.alice[worker] + 1;
            let wanted = format!("alice {worker} {own} {all}\n");
            if answer.status != 200 || answer.text() != wanted {
                let (status, said) = (answer.status, answer.text());
                return Err(format!("alice answers {status} {said:?}, not {wanted:?}"));
            }
            self.alice[worker] = own;
            seen[worker] = true;
        }
        Ok(())
    }

    /// The answer; none if the connection ended without one.
    fn call(&self, path: &str) -> Option<Response> {
        let mut client = Client::connect(self.moongate.address);
        client.patience(DEADLINE);
        let body = "x=1&y=2";
        let length = body.len();
        client.send(format!(
            "POST {path}?a=1&b=2 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: \
             {length}\r\nX-Extra: yes\r\n\r\n{body}"
        ));
        client.try_read(false).ok()
    }

    fn calls(&self, attack: &Attack) -> Vec<Option<Response>> {
        let path = format!("/mallory/{}", attack.name);
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..attack.calls).map(|_| scope.spawn(|| self.call(&path))).collect();
            calls.into_iter().map(|call| call.join().expect("a client does not fail")).collect()
        })
    }

    /// Lets one function do what it can; what it did, and what is wrong with that.
    fn suffer(&mut self, attack: &Attack) -> (String, Vec<String>) {
        let mut faults = Vec::new();
        let (before, logged) = (self.moongate.heap(), self.logs().len());
        self.forget_peak();
        let text = self.text(attack);
        let route = format!("/mallory/{}", attack.name);
        let mut pushed = self.push("mallory", &attack.name, &route, &text);
        // What did its harm when it was tried is to do it in a call too.
        if pushed.status == 422 && attack.refused.is_none() {
            let text = format!("return {{ content = function(...)\n{text}\nend }}");
            pushed = self.push("mallory", &attack.name, &route, &text);
        }
        let outcome = match pushed.status {
            201 => self.called(attack, &mut faults),
            422 => refused(attack, &pushed, &mut faults),
            other => {
                faults.push(format!("the push is answered {other}: {}", pushed.text()));
                String::new()
            }
        };
        faults.extend(self.ask_alice().err());
        let peak = self.peak().saturating_sub(before);
        if peak > PEAK {
            faults.push(format!("it took {} MiB", peak >> 20));
        }
        let logged = self.logs().len().saturating_sub(logged);
        if logged > LOGGED {
            faults.push(format!("it wrote {} KiB of logs", logged >> 10));
        }
        if pushed.status == 201 {
            let gone = self.admin("DELETE", &format!("/functions/{}", attack.name), "").status;
            assert!(matches!(gone, 200 | 204), "{gone}");
        }
        (format!("{outcome} (peak {} MiB, {} KiB logged)", peak >> 20, logged >> 10), faults)
    }

    /// Calls it; every call must be answered, by something that gives nothing away.
    fn called(&self, attack: &Attack, faults: &mut Vec<String>) -> String {
        if let Some(words) = &attack.refused {
            faults.push(format!("it was taken, and should be refused for `{words}`"));
        }
        let mut told = String::new();
        for answer in self.calls(attack) {
            let status = answer.as_ref().map_or("closed".to_owned(), |one| one.status.to_string());
            let _ = write!(told, "{status} ");
            let fits = match attack.answers.as_slice() {
                [] => answer.as_ref().is_some_and(|one| (200..600).contains(&one.status)),
                wanted => wanted.contains(&status),
            };
            if !fits {
                faults.push(format!("it is answered {status}"));
            }
            let Some(answer) = answer else { continue };
            let shown = format!("{:?} {}", answer.headers, answer.text());
            if shown.contains("the canary") || shown.contains(TOKEN) {
                faults.push(format!("it gives away: {:.200}", shown));
            }
            if shown.contains("BROKEN") || answer.header("x-broken").is_some() {
                faults.push(format!("it says: {:.300}", shown));
            }
        }
        told
    }

    fn text(&self, attack: &Attack) -> String {
        let canary = self.moongate.path("canary.txt").display().to_string();
        attack
            .text
            .replace("@CANARY@", &self.canary.port.to_string())
            .replace("@ADMIN@", &self.moongate.admin.port().to_string())
            .replace("@SELF@", &self.moongate.address.port().to_string())
            .replace("@FILE@", &canary)
    }

    fn logs(&self) -> String {
        self.moongate.log() + &self.moongate.output()
    }

    /// From now on the peak is that of what comes.
    fn forget_peak(&self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.moongate.pid()), "5");
    }

    /// The most memory that it held since.
    fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.moongate.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes << 10
    }
}

fn refused(attack: &Attack, pushed: &Response, faults: &mut Vec<String>) -> String {
    let why = pushed.json()["error"].as_str().unwrap_or_default().to_owned();
    match &attack.refused {
        Some(words) if !why.contains(words) => {
            faults.push(format!("it is refused for `{why}`, not for `{words}`"));
        }
        None if !attack.answers.is_empty() => faults.push(format!("it is refused: {why}")),
        _ => {}
    }
    format!("refused: {:.60}", why.replace('\n', " "))
}

fn attacks(folder: PathBuf) -> Vec<Attack> {
    let folder = fs::read_dir(folder).expect("a folder of functions");
    let paths = folder.map(|entry| entry.expect("it can be read").path());
    let mut attacks: Vec<Attack> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
        .map(|path| {
            let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
            let mut text = String::new();
            let mut file = fs::File::open(path).expect("it is there");
            file.read_to_string(&mut text).expect("it is text");
            Attack::new(&name, text)
        })
        .collect();
    attacks.sort_by(|one, other| one.name.cmp(&other.name));
    attacks
}

fn hold_out(attacks: &[Attack]) {
    let mut site = Site::start();
    let before = site.moongate.heap();
    let mut all = Vec::new();
    for attack in attacks {
        let (outcome, faults) = site.suffer(attack);
        eprintln!("{:36} {outcome}", attack.name);
        all.extend(faults.into_iter().map(|fault| format!("{}: {fault}", attack.name)));
        if !site.moongate.runs() {
            panic!("{} ended the process; before: {all:#?}", attack.name);
        }
    }
    assert!(all.is_empty(), "{all:#?}");
    assert_eq!(site.canary.reached.load(Ordering::Acquire), 0, "the canary was reached");
    let logs = site.logs();
    for secret in [TOKEN, CANARY_FILE, CANARY_LINE, "canary of the vault"] {
        assert!(!logs.contains(secret), "the logs tell `{secret}`");
    }
    let settled = || site.moongate.heap().saturating_sub(before) < LEFT;
    assert!(wait_until(DEADLINE, settled), "{} MiB stay", site.moongate.heap() >> 20);
}

#[test]
fn the_shared_scripts_harm_nobody_as_functions() {
    let attacks = attacks(shared("hostile-lua"));
    assert_eq!(attacks.len(), SHARED);
    hold_out(&attacks);
}

#[test]
fn our_own_functions_harm_nobody() {
    let attacks =
        attacks(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile_functions"));
    let only = std::env::var("ONLY").unwrap_or_default();
    assert!(attacks.len() >= OWN);
    let chosen: Vec<Attack> =
        attacks.into_iter().filter(|attack| attack.name.contains(&only)).collect();
    hold_out(&chosen);
}
