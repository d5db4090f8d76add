//! `docs/metrics.md`, made from the list.

use std::fmt::Write;

use super::label::MAX_VALUES;
use super::{About, Kind, LIST, Label, Values};

/// The reference page of all metrics, in Markdown.
pub fn metrics_page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         What `/metrics` on the admin address shows. This page is made from the list in \
         `src/telemetry/metrics/mod.rs`; a test holds it, `UPDATE_DOCS=1` rewrites it.\n\n\
         | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for about in LIST {
        let labels: Vec<_> = about.labels.iter().map(|label| format!("`{}`", label.name)).collect();
        let (name, kind, help) = (about.name, word(about.kind), about.help);
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    add_labels(&mut page);
    add_buckets(&mut page);
    page
}

fn add_labels(page: &mut String) {
    let _ = write!(
        page,
        "\n## Labels\n\nNone has a value that a client chooses. A label of an open set has at most \
         {MAX_VALUES} values in the life of the process unless it says otherwise; what comes after them is `other`.\n\n\
         | label | of | values |\n| --- | --- | --- |\n"
    );
    for (label, metrics) in labels() {
        let values = match label.values {
            Values::Closed(values) => format!("`{}`", values.join("`, `")),
            Values::Open(meaning) => meaning.to_owned(),
        };
        let _ = writeln!(page, "| `{}` | `{}` | {values} |", label.name, metrics.join("`, `"));
    }
}

/// Each label and the metrics that have it; labels of one name with other values are another label.
fn labels() -> Vec<(Label, Vec<&'static str>)> {
    let mut found: Vec<(Label, Vec<&'static str>)> = Vec::new();
    for about in LIST {
        for label in about.labels {
            match found.iter_mut().find(|(known, _)| known == label) {
                Some((_, metrics)) => metrics.push(about.name),
                None => found.push((*label, vec![about.name])),
            }
        }
    }
    found.sort_by_key(|(label, _)| label.name);
    found
}

fn add_buckets(page: &mut String) {
    page.push_str("\n## Buckets\n\nUpper bounds; the last is always `+Inf`.\n\n");
    for About { name, buckets, .. } in LIST.iter().filter(|about| !about.buckets.is_empty()) {
        let bounds: Vec<_> = buckets.iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "- `{name}`: {}", bounds.join(", "));
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}
