//! A running node, asked by its admin address: for every command that needs one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::config::{self, Config, DiskFiles, Files as _, Overrides};
use crate::diagnostic::Source;

/// Where a token is looked for that no option names.
const TOKEN: &str = "MOONGATE_TOKEN";
/// The settings that are read where none are named, if they are there.
const SETTINGS: &str = "moongate.yaml";
/// Where a node is asked where nothing is said.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);
/// How long a connection may take, and a whole answer: a push compiles, checks and tests.
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an answer at the most.
const LARGEST: u64 = 256 << 20;

const NO_TOKEN: &str = "name a file with a token by `--token-file`, or set MOONGATE_TOKEN; `moongate tokens add` makes one";

/// Which node, and with which token.
#[derive(Debug, Args)]
pub struct Place {
    /// The node's admin address; without it that of the settings, or 127.0.0.1:9180
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// The node's settings, for its admin address and token; without it ./moongate.yaml, if it is
    /// there
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with a token; without it the environment variable MOONGATE_TOKEN, or the token of
    /// the settings
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A node that can be asked.
pub struct Node {
    agent: ureq::Agent,
    address: SocketAddr,
    token: Option<String>,
}

/// What is sent with a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent<'a> {
    /// The MIME type and the bytes of a body.
    pub body: Option<(&'a str, &'a [u8])>,
    /// More fields, such as `If-Match`.
    pub fields: &'a [(&'a str, &'a str)],
}

/// What a node answered, all being well.
#[derive(Debug)]
pub struct Answered {
    /// 200 to 299.
    pub status: u16,
    /// Its `ETag`, as it came.
    pub etag: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no such answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Nobody is there.
    #[error(
        "no node answers at {address}: is it running? `--admin` names another address ({reason})"
    )]
    Absent {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// It is there, and says no.
    #[error("{report}{error}\n  = help: {help}")]
    Refused {
        /// The status.
        status: u16,
        /// What is wrong.
        error: String,
        /// The next step.
        help: String,
        /// Faults line by line; may be empty.
        report: String,
    },
    /// What answers is no node, or answers too much.
    #[error("{address} does not answer as a node does: {reason}")]
    Strange {
        /// Where.
        address: SocketAddr,
        /// In which way.
        reason: String,
    },
    /// The token's file cannot be read, or holds none.
    #[error("the token in `{}` cannot be used: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Place {
    /// The node, not yet asked anything.
    ///
    /// # Errors
    /// If the token's file cannot be used.
    pub fn node(&self) -> Result<Node, NodeError> {
        let settings = settings(self.config.as_deref());
        let address = self.admin.or_else(|| Some(settings.as_ref()?.admin.address));
        let address = reachable(address.unwrap_or(USUAL));
        let token = match &self.token_file {
            Some(path) => Some(token_of(path)?),
            None => std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).or_else(|| {
                // The settings' own token is for the settings' own node.
                settings.filter(|_| self.admin.is_none())?.admin.token
            }),
        };
        // No proxy and no other place that an answer names: the token is for this node alone.
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("moongate/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Node { agent: agent.new_agent(), address, token })
    }
}

/// The settings as far as they can be read: they are to say where the node is, not to be right.
pub fn settings(named: Option<&Path>) -> Option<Config> {
    let path = named.unwrap_or(Path::new(SETTINGS));
    let text = String::from_utf8(DiskFiles.read(path).ok()?).ok()?;
    let source = Source::new(path.display().to_string(), text);
    let root = path.parent().unwrap_or(Path::new(""));
    config::read_with_faults(&source, root, &Overrides::default(), &DiskFiles).0
}

/// A node that listens everywhere is asked here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn token_of(path: &Path) -> Result<String, NodeError> {
    let fault = |source| NodeError::Token { path: path.to_owned(), source };
    let bytes = DiskFiles.read(path).map_err(fault)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(fault(io::Error::other("it does not hold one word of plain letters")));
    }
    Ok(token.to_owned())
}

impl Node {
    /// A GET.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub fn get(&self, path: &str) -> Result<Answered, NodeError> {
        self.ask("GET", path, Sent::default())
    }

    /// Any request. Its path is percent-encoded already: see [`segment`].
    ///
    /// # Errors
    /// If nobody is there, or the answer is none of 200 to 299.
    pub fn ask(&self, method: &str, path: &str, sent: Sent<'_>) -> Result<Answered, NodeError> {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some((media_type, _)) = sent.body {
            request = request.header("Content-Type", media_type);
        }
        for (name, value) in sent.fields {
            request = request.header(*name, *value);
        }
        let body = sent.body.map(|(_, body)| body);
        let mut response = self.run(request, body)?;
        let etag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let (status, etag) = (response.status().as_u16(), etag.map(str::to_owned));
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let answered = Answered { status, etag, body: body.map_err(|error| self.strange(&error))? };
        if (200..300).contains(&status) { Ok(answered) } else { Err(self.refused(&answered)) }
    }

    fn run(
        &self,
        request: http::request::Builder,
        body: Option<&[u8]>,
    ) -> Result<http::Response<ureq::Body>, NodeError> {
        let sent = match body {
            None => self.agent.run(request.body(()).map_err(|error| self.strange(&error))?),
            Some(body) => self.agent.run(request.body(body).map_err(|error| self.strange(&error))?),
        };
        sent.map_err(|error| match error {
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => self.strange(&error),
            _ => self.absent(&error),
        })
    }

    fn absent(&self, error: &ureq::Error) -> NodeError {
        NodeError::Absent { address: self.address, reason: error.to_string() }
    }

    fn strange(&self, error: &dyn std::fmt::Display) -> NodeError {
        NodeError::Strange { address: self.address, reason: error.to_string() }
    }

    fn refused(&self, answered: &Answered) -> NodeError {
        let said: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(printable);
        let Some(error) = text("error") else {
            return self.strange(&format!("status {}", answered.status));
        };
        let help = match answered.status {
            401 => NO_TOKEN.to_owned(),
            _ => text("help").unwrap_or_default(),
        };
        let report = text("report").unwrap_or_default();
        NodeError::Refused { status: answered.status, error, help, report }
    }
}

impl Answered {
    /// The body as JSON; `node` is who answered.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn json(&self, node: &Node) -> Result<Value, NodeError> {
        serde_json::from_slice(&self.body).map_err(|error| node.strange(&error))
    }
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Without what would command a terminal: what answers there may be anybody.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::{printable, reachable, segment, token_of};

    #[test]
    fn a_node_that_listens_everywhere_is_asked_here() {
        for (listens, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("hello"), "hello");
        assert_eq!(segment("a/b ?é"), "a%2Fb%20%3F%C3%A9");
    }

    #[test]
    fn a_token_file_holds_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (text, token) in [(" mg_x\n", Some("mg_x")), ("", None), ("two words", None)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(token_of(&path).ok().as_deref(), token, "{text}");
        }
        assert!(token_of(&folder.path().join("none")).is_err());
    }

    #[test]
    fn what_a_node_says_commands_no_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc\u{9b}"), "a[2Jb\nc");
    }
}
