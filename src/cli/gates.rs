//! Gates as options: what a version that is tried must be like.

use clap::Args;
use serde_json::{Value, json};

/// What a version that is tried must be like. What is not said is as the node has it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gates (`none`: not asked)")]
pub(super) struct Gates {
    /// By how much more of its calls may fail than of the live version's: 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = gate)]
    errors: Option<Value>,
    /// By how much more or fewer of its calls may refuse the request: 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = gate)]
    blocks: Option<Value>,
    /// How many times the live version's its 99th percentile may be
    #[arg(long, value_name = "TIMES", value_parser = gate)]
    p99: Option<Value>,
    /// How many of its calls may be ended for what they cost
    #[arg(long, value_name = "CALLS", value_parser = gate)]
    kills: Option<Value>,
    /// Calls of each version before anything but kills is judged
    #[arg(long, value_name = "CALLS")]
    min_samples: Option<u64>,
    /// How long all must hold, such as 10m
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// Have it serve when all held
    #[arg(long)]
    promote: bool,
}

impl Gates {
    /// As a node is told them.
    pub(super) fn told(&self) -> Value {
        let asked = [
            ("errors", self.errors.clone()),
            ("blocks", self.blocks.clone()),
            ("p99", self.p99.clone()),
            ("kills", self.kills.clone()),
            ("min_samples", self.min_samples.map(Value::from)),
            ("window", self.window.as_deref().map(Value::from)),
            ("promote", self.promote.then(|| json!(true))),
        ];
        let said = asked.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(said.collect())
    }
}

/// A number, or `none`.
fn gate(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let whole = text.parse::<u64>().map(Value::from).ok();
    let number = whole.or_else(|| text.parse::<f64>().ok().map(Value::from));
    number.filter(Value::is_number).ok_or_else(|| "write a number, or `none`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::Gates;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        gates: Gates,
    }

    #[test]
    fn what_is_not_said_is_left_to_the_node() {
        let told = |words: &str| {
            let line = Line::try_parse_from(format!("x {words}").split_whitespace());
            line.map(|line| line.gates.told()).map_err(|error| error.to_string())
        };
        assert_eq!(told("").unwrap(), json!({}));
        let said = json!({ "errors": 0.02, "kills": null, "window": "1m", "promote": true });
        assert_eq!(told("--errors 0.02 --kills none --window 1m --promote").unwrap(), said);
        assert!(told("--p99 much").unwrap_err().contains("or `none`"));
    }
}
