//! `moongate functions shadow`, `sample`, `canary`, `promote`, `abort`: a version is tried before it
//! serves.

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::gates::Gates;
use super::super::node::Sent;
use super::{Asking, Fault, json_of, path, told};

const JSON: &str = "application/json";

/// Run a version beside the one that serves, without effect, and compare
#[derive(Debug, Args)]
pub(super) struct Shadow {
    #[command(flatten)]
    tried: Tried,
}

/// The same for a share of the requests
#[derive(Debug, Args)]
pub(super) struct Sample {
    /// The share, 0.01 to 100
    #[arg(long, value_name = "PERCENT")]
    percent: f64,
    #[command(flatten)]
    tried: Tried,
}

/// Have a version answer a share of the clients, always the same ones
#[derive(Debug, Args)]
pub(super) struct Canary {
    /// The share, 0.01 to 100
    #[arg(long, value_name = "PERCENT")]
    percent: f64,
    /// What a client is known by: `address`, `cookie:NAME`, `header:NAME`
    #[arg(long, value_name = "WHAT", default_value = "address")]
    sticky: String,
    #[command(flatten)]
    tried: Tried,
}

/// What is tried, where, and what it must be like.
#[derive(Debug, Args)]
struct Tried {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    /// The version's digest, or the beginning of it; without it the newest
    #[arg(long, value_name = "DIGEST")]
    version: Option<String>,
    /// Only for these of its requests: `/hello/beta` and what is below, `exact:/hello`, `host/hello`
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    #[command(flatten)]
    gates: Gates,
    #[command(flatten)]
    asking: Asking,
}

/// Have the version that is tried serve
#[derive(Debug, Args)]
pub(super) struct Promote {
    #[command(flatten)]
    named: Named,
}

/// Try it no more
#[derive(Debug, Args)]
pub(super) struct Abort {
    #[command(flatten)]
    named: Named,
}

/// A function, and whom to ask.
#[derive(Debug, Args)]
struct Named {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    asking: Asking,
}

impl Shadow {
    pub(super) fn asking(&self) -> &Asking {
        &self.tried.asking
    }

    pub(super) fn run(&self) -> Result<(), Fault> {
        self.tried.begin("/shadow", Map::new())
    }
}

impl Sample {
    pub(super) fn asking(&self) -> &Asking {
        &self.tried.asking
    }

    pub(super) fn run(&self) -> Result<(), Fault> {
        self.tried.begin("/shadow", Map::from_iter([("percent".to_owned(), json!(self.percent))]))
    }
}

impl Canary {
    pub(super) fn asking(&self) -> &Asking {
        &self.tried.asking
    }

    pub(super) fn run(&self) -> Result<(), Fault> {
        let said = [("percent", json!(self.percent)), ("sticky", json!(self.sticky))];
        let said = said.map(|(name, value)| (name.to_owned(), value));
        self.tried.begin("/canary", Map::from_iter(said))
    }
}

impl Promote {
    pub(super) fn asking(&self) -> &Asking {
        &self.named.asking
    }

    pub(super) fn run(&self) -> Result<(), Fault> {
        self.named.end("/promote")
    }
}

impl Abort {
    pub(super) fn asking(&self) -> &Asking {
        &self.named.asking
    }

    pub(super) fn run(&self) -> Result<(), Fault> {
        self.named.end("/abort")
    }
}

impl Tried {
    fn begin(&self, deed: &str, mut said: Map<String, Value>) -> Result<(), Fault> {
        for (name, value) in [("version", &self.version), ("route", &self.route)] {
            if let Some(value) = value {
                said.insert(name.to_owned(), json!(value));
            }
        }
        said.insert("gates".to_owned(), self.gates.told());
        ask(&self.asking, &path(&self.name, deed), Some(&Value::Object(said)))
    }
}

impl Named {
    fn end(&self, deed: &str) -> Result<(), Fault> {
        ask(&self.asking, &path(&self.name, deed), None)
    }
}

/// Asks for it, and tells how things are then.
fn ask(asking: &Asking, path: &str, said: Option<&Value>) -> Result<(), Fault> {
    let node = asking.place.node()?;
    let body = said.map(Value::to_string);
    let body = body.as_ref().map(|body| (JSON, body.as_bytes()));
    let answer = json_of(&node, &node.ask("POST", path, Sent { body, ..Sent::default() })?)?;
    asking.say(&answer, || Ok(told::function(&answer)?.trial()))
}
