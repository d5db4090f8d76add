//! The built program, as a child process that goes when the test does.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::said::Said;
use super::{Client, DEADLINE, Response, Upstream, get, post, request, wait_until};

/// A running Moongate, its configuration in a temporary folder that is its working folder.
pub struct Moongate {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    folder: Arc<TempDir>,
    child: Child,
    stdout: Said,
    stderr: Said,
}

/// What a Moongate is started with.
pub struct Builder {
    folder: Arc<TempDir>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// What is said for a test that says nothing of it: ports that the kernel chooses, more than one
/// worker, so that what is not shared shows, and no rules, whose verdicts are not what it is about.
const DEFAULTS: &[(&str, &str)] =
    &[("listen", "127.0.0.1:0"), ("admin", "127.0.0.1:0"), ("workers", "2"), ("rules", NO_RULES)];
const NO_RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/no-rules.conf");

/// The token that the harness uses.
pub const ADMIN_TOKEN: &str = "mg_the-token-of-the-tests";

/// An entry of a token file; `rest` has its role, and its owner if it has one.
pub fn token_entry(name: &str, token: &str, rest: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(token);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "- {{ name: {name}, {rest}, sha256: '{digest}', created_at: '2026-01-01T00:00:00Z' }}\n"
    )
}

/// What a command that ended said.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1: ended by a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Moongate {
    /// With this `moongate.yaml`. Unless `listen:` or `admin:` is in it, the kernel chooses ports.
    pub fn start(config: &str) -> Self {
        Self::with(config).start()
    }

    /// Before this upstream, declared as `app`; `config` is the rest of `moongate.yaml`.
    pub fn before(upstream: &Upstream, config: &str) -> Self {
        Self::with_upstream(upstream, config).start()
    }

    /// `moongate demo`, on ports that the kernel chooses.
    pub fn demo() -> Self {
        let mut command = program();
        command.args(["demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        Self::with("").launch(command)
    }

    /// As [`Moongate::start`], with more to say before it starts.
    pub fn with(config: &str) -> Builder {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let builder = Builder { folder, arguments: Vec::new(), environment: Vec::new() };
        builder.file("moongate.yaml", config)
    }

    /// As [`Moongate::before`], with more to say before it starts.
    pub fn with_upstream(upstream: &Upstream, config: &str) -> Builder {
        Self::with(&format!("upstreams: {{ app: {{ peers: [{}] }} }}\n{config}", upstream.address))
    }

    /// Another one in the same folder, for after this one has ended.
    pub fn again(&self) -> Builder {
        Builder { folder: self.folder.clone(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// A GET on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        get(self.address, path)
    }

    /// A POST on a connection of its own.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Response {
        post(self.address, path, body)
    }

    /// Any request on a connection of its own.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        request(self.address, method, path, headers, body)
    }

    /// A connection to send any bytes on.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// `http://ADDRESS` and then `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in its folder, whole or not at all, as editors do.
    pub fn edit(&self, name: &str, text: impl AsRef<[u8]>) {
        put(self.folder.path(), name, text.as_ref());
    }

    /// A file in its folder as text; empty if it is not there.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A request to the admin address, which answers only those who call it by its address. It
    /// comes with [`ADMIN_TOKEN`], for the case that one is wanted.
    pub fn ask_admin(&self, method: &str, path: &str) -> Response {
        self.ask_admin_as(ADMIN_TOKEN, method, path, "")
    }

    /// The same with this token and a body.
    pub fn ask_admin_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: impl AsRef<[u8]>,
    ) -> Response {
        let (host, token) = (self.admin.to_string(), format!("Bearer {token}"));
        let headers = [("Host", host.as_str()), ("Authorization", token.as_str())];
        request(self.admin, method, path, &headers, body)
    }

    /// Makes [`ADMIN_TOKEN`] known to it: without any token nothing can be changed.
    pub fn admit_admin(&self) {
        let config = self.read("moongate.yaml");
        let state = config.lines().find_map(|line| line.strip_prefix("state_dir:"));
        let file = format!("{}/tokens.yaml", state.map_or(".moongate", str::trim));
        if !self.path(&file).exists() {
            self.edit(&file, token_entry("test", ADMIN_TOKEN, "role: admin"));
        }
    }

    /// Reads everything again, by the admin address; the answer tells what came of it.
    pub fn reload(&self) -> Response {
        self.admit_admin();
        self.ask_admin("POST", "/policy/reload")
    }

    /// What is in force, as the admin address tells it.
    pub fn policy(&self) -> serde_json::Value {
        self.ask_admin("GET", "/policy").json()
    }

    /// The number of the policy in force.
    pub fn generation(&self) -> u64 {
        self.policy()["generation"].as_u64().expect("the policy has a generation")
    }

    /// Waits until a policy later than this is in force.
    pub fn wait_past(&self, generation: u64) {
        assert!(
            wait_until(DEADLINE, || self.generation() > generation),
            "no policy after {generation}:\n{}",
            self.log()
        );
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        self.ask_admin("GET", "/metrics").text()
    }

    /// A metric's value by its whole name with labels, as `/metrics` writes it; 0 if it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics();
        let mut values =
            metrics.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        values.next().map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    /// All that it said on standard error so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// All that it said on standard output so far: access logs, unless they go elsewhere.
    pub fn output(&self) -> String {
        self.stdout.text()
    }

    /// Waits until it says this on standard output.
    pub fn wait_for_output(&self, words: &str) -> String {
        let said =
            self.stdout.wait_for(DEADLINE, |text| text.contains(words).then(|| text.to_owned()));
        said.unwrap_or_else(|| panic!("`{words}` was not said:\n{}", self.output()))
    }

    /// Waits until it says this on standard error.
    pub fn wait_for_log(&self, words: &str) {
        assert!(
            self.stderr.wait_for(DEADLINE, |text| text.contains(words).then_some(())).is_some(),
            "`{words}` was not said:\n{}",
            self.log()
        );
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time that its threads used so far (of those that live).
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let times = tasks.flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(times.sum())
    }

    /// Bytes of memory that it holds now.
    pub fn rss(&self) -> usize {
        self.status("VmRSS:")
    }

    /// Bytes of memory that it holds now, without what is mapped from files: its own program's pages
    /// come and go.
    pub fn heap(&self) -> usize {
        self.status("RssAnon:")
    }

    fn status(&self, key: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it is told");
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes << 10
    }

    /// Sends a signal by its name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        assert!(wait_until(DEADLINE, || !self.runs()), "it does not end:\n{}", self.log());
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Moongate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stdout.join();
        self.stderr.join();
        if std::thread::panicking() {
            eprintln!("--- what moongate said:\n{}---", self.log());
        }
    }
}

impl Builder {
    /// One more file in its folder, such as `lua/upper.lua`.
    #[must_use]
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        put(self.folder.path(), name, text.as_ref());
        self
    }

    /// A symbolic link in its folder.
    #[must_use]
    pub fn link(self, name: &str, target: &str) -> Self {
        std::os::unix::fs::symlink(target, self.folder.path().join(name)).expect("a link");
        self
    }

    /// One more argument of `moongate run`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Moongate {
        let command = self.command("run");
        self.launch(command)
    }

    fn launch(self, mut command: Command) -> Moongate {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it was built");
        let stdout = Said::on(child.stdout.take().expect("it is piped"));
        let mut stderr = Said::on(child.stderr.take().expect("it is piped"));
        let Some((address, admin)) = stderr.wait_for(DEADLINE, ready) else {
            let _ = child.kill();
            let ended = child.wait();
            stderr.join();
            panic!("moongate did not get ready ({ended:?}):\n{}", stderr.text());
        };
        Moongate { address, admin, folder: self.folder, child, stdout, stderr }
    }

    /// Starts it, expects it to end by itself, and tells what it said.
    pub fn refused(self) -> Output {
        output(self.command("run"))
    }

    /// What `moongate check` says.
    pub fn check(self) -> Output {
        output(self.command("check"))
    }

    fn command(&self, name: &str) -> Command {
        let config = fs::read(self.folder.path().join("moongate.yaml"));
        let config = String::from_utf8_lossy(&config.expect("it was written")).into_owned();
        let mut command = program();
        command.current_dir(self.folder.path()).arg(name).args(&self.arguments);
        for (key, value) in DEFAULTS {
            let (key_of_file, flag) = (format!("{key}:"), format!("--{key}"));
            let told = config.lines().any(|line| line.starts_with(&key_of_file))
                || self.arguments.iter().any(|argument| argument.starts_with(&flag));
            if !told {
                command.args([&flag, *value]);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What the program says to these arguments, in an empty folder. It must end by itself.
pub fn command(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = program();
    command.current_dir(folder.path()).args(arguments);
    output(command)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_moongate"))
}

fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it was built");
    // Somebody listens from the start: a full pipe would hold it.
    let mut stdout = Said::on(child.stdout.take().expect("it is piped"));
    let mut stderr = Said::on(child.stderr.take().expect("it is piped"));
    let ended = wait_until(DEADLINE, || child.try_wait().expect("it is our child").is_some());
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().expect("it is our child");
    stdout.join();
    stderr.join();
    let (stdout, stderr) = (stdout.text(), stderr.text());
    assert!(ended, "it does not end by itself:\n{stdout}\n{stderr}");
    Output { code: status.code().unwrap_or(-1), stdout, stderr }
}

fn put(folder: &Path, name: &str, text: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
    let beside = path.with_extension("part");
    fs::write(&beside, text).expect("it can be written");
    fs::rename(&beside, &path).expect("it can be renamed");
}

/// The addresses, once both were told.
fn ready(text: &str) -> Option<(SocketAddr, SocketAddr)> {
    let told = |words: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(words))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((told("moongate: listening on ")?, told("moongate: admin on ")?))
}
