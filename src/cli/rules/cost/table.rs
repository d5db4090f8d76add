//! What is told of costs: a table, or JSON.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::rows::Row;
use crate::detection::cost::LinkEstimate;

/// Before what a row is made of.
const DETAIL: &str = "          ";

/// What is told.
pub(super) struct Report<'a> {
    pub(super) corpus: Option<&'a Path>,
    /// Requests that rules looked at.
    pub(super) requests: u64,
    /// What the whole engine took for them.
    pub(super) whole: Duration,
    /// The same, where it has seen their values before.
    pub(super) repeated: Duration,
    /// All of them.
    pub(super) rows: &'a [Row],
    /// How many are shown.
    pub(super) top: usize,
}

impl Report<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.heading());
        let _ = writeln!(
            text,
            "{:>7} {:>9} {:>9} {:>9} {:>8} {:>9}  rule",
            "share", "µs", "values", "runs", "matches", "steps"
        );
        for row in self.rows.iter().take(self.top) {
            text += &self.row(row);
        }
        let _ = writeln!(text, "\n{}", self.total());
        text
    }

    fn heading(&self) -> String {
        let rules: usize = self.rows.iter().map(|row| row.rules).sum();
        let corpus = self.corpus.map_or("built in".to_owned(), |path| path.display().to_string());
        format!(
            "{rules} rules over {} requests ({corpus})\n\
             µs of CPU and steps are of one request; values, runs and matches of all",
            self.requests
        )
    }

    fn row(&self, row: &Row) -> String {
        let spent = &row.spent;
        let name = match row.id {
            Some(id) => format!("{id}  {}", row.place),
            None => format!("{}  {} rules", row.place, row.rules),
        };
        let mut text = format!(
            "{:>5.1} % {:>9.3} {:>9} {:>9} {:>8} {:>9.0}  {name}\n",
            row.share * 100.0,
            self.micros(spent.time),
            spent.values,
            spent.runs,
            spent.matches,
            row.steps,
        );
        if let Some(link) = &row.dearest {
            let _ = writeln!(text, "{DETAIL}{}", parts(link));
            if let Some(help) = link.advice() {
                let _ = writeln!(text, "{DETAIL}= help: {help}");
            }
        }
        text
    }

    fn total(&self) -> String {
        let own: Duration = self.rows.iter().map(|row| row.spent.time).sum();
        let steps: f64 = self.rows.iter().map(|row| row.steps).sum();
        format!(
            "all: {:.1} µs of CPU in the rules' own tests, estimated {steps:.0} steps\n\
             the whole engine, with all that rules share: {:.1} µs; {:.1} µs where it has seen the \
             values before",
            self.micros(own),
            self.micros(self.whole),
            self.micros(self.repeated),
        )
    }

    /// Of one request.
    fn micros(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }

    pub(super) fn json(&self) -> String {
        let rows: Vec<Value> =
            self.rows.iter().take(self.top).map(|row| self.object(row)).collect();
        let own: Duration = self.rows.iter().map(|row| row.spent.time).sum();
        let report = json!({
            "corpus": self.corpus.map(|path| path.display().to_string()),
            "requests": self.requests,
            "rules": self.rows.iter().map(|row| row.rules).sum::<usize>(),
            "steps": rounded(self.rows.iter().map(|row| row.steps).sum()),
            "micros": rounded(self.micros(own)),
            "engine_micros": rounded(self.micros(self.whole)),
            "engine_micros_repeated": rounded(self.micros(self.repeated)),
            "rows": rows,
        });
        format!("{report:#}\n")
    }

    fn object(&self, row: &Row) -> Value {
        let spent = &row.spent;
        let mut object = json!({
            "id": row.id,
            "place": row.place,
            "rules": row.rules,
            "share": rounded(row.share),
            "micros": rounded(self.micros(spent.time)),
            "reached": spent.reached,
            "matches": spent.matches,
            "values": spent.values,
            "runs": spent.runs,
            "bytes": spent.bytes,
            "steps": rounded(row.steps),
        });
        if let (Some(link), Some(object)) = (&row.dearest, object.as_object_mut()) {
            object.insert("dearest_link".to_owned(), link_object(link));
        }
        object
    }
}

fn link_object(link: &LinkEstimate) -> Value {
    json!({
        "steps": rounded(link.steps),
        "reach": rounded(link.reach),
        "values": rounded(link.values),
        "bytes": rounded(link.bytes),
        "asked_of_1000": rounded(link.asked),
        "effort": rounded(link.effort),
        "transformations": link.transformations,
        "sharers": link.sharers,
        "captures": link.captures,
        "backtracks": link.backtracks,
        "help": link.advice(),
    })
}

/// What a link is made of, in words.
fn parts(link: &LinkEstimate) -> String {
    let mut parts = format!(
        "looks at {:.1} values, {:.0} bytes; {:.0} of 1000 values are run",
        link.values, link.bytes, link.asked
    );
    if link.effort > 1.0 {
        let _ = write!(parts, ", {:.0} steps a byte", link.effort);
    }
    if link.transformations > 0 {
        let (count, sharers) = (link.transformations, link.sharers);
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(parts, "; {count} transformation{plural}");
        if sharers > 1 {
            let _ = write!(parts, ", made once for {sharers} rules");
        }
    }
    for (is, word) in [(link.backtracks, "backtracks"), (link.captures, "captures")] {
        if is {
            let _ = write!(parts, "; {word}");
        }
    }
    parts
}

/// To the thousandth.
fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
