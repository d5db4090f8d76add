//! Exchanges judged in process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use moongate::config::{DiskFiles, Engine, OnExceeded, RuleBudget};
use moongate::detection::{Inspection, Outcome, Plan, Profile, World, compile};
use moongate::diagnostic::render;
use moongate::seclang;
use moongate::transaction::args::Parser;
use moongate::transaction::{Cost, Headers, Response, RulePhase, Transaction};

use crate::support::exchange::transaction;

const DEBIAN: &str = "/usr/share/modsecurity-crs";
/// Everything runs, whatever the sums are; bodies may be long.
const SETUP: &str = r#"
SecRequestBodyAccess On
SecRequestBodyNoFilesLimit 13107200
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecAction "id:900000,phase:1,nolog,pass,setvar:tx.paranoia_level=4,setvar:tx.blocking_paranoia_level=4,setvar:tx.inbound_anomaly_score_threshold=1000000,setvar:tx.outbound_anomaly_score_threshold=1000000"
"#;

/// An exchange as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Method, target and fields, each with its line end.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// The body of the answer, as HTML.
    pub response: Vec<u8>,
}

/// What came of it.
pub struct Judged {
    pub cost: Cost,
    /// By phase.
    pub outcomes: Vec<Outcome>,
    pub pauses: usize,
    /// The most work between two pauses.
    pub stretch: u64,
    /// The ids of the rules that matched.
    pub matches: Vec<u64>,
}

/// A budget that nothing exceeds.
pub const AMPLE: RuleBudget =
    RuleBudget { time: Duration::from_secs(3600), work: 1 << 50, exceeded: OnExceeded::Refuse };

/// CRS at level 4: Debian's, and that of `CRS_DIR`.
pub fn core_rule_sets() -> Vec<(&'static str, Arc<Plan>)> {
    let debian =
        ("CRS 3", Path::new("/etc/modsecurity/crs/crs-setup.conf").to_owned(), DEBIAN.into());
    let tree = std::env::var_os("CRS_DIR").map(PathBuf::from);
    let newer = tree.map(|tree| ("CRS 4", tree.join("crs-setup.conf.example"), tree));
    let all = [debian].into_iter().chain(newer);
    all.map(|(name, setup, tree): (_, PathBuf, PathBuf)| {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("all.conf");
        let text = format!(
            "{SETUP}Include {}\nInclude {}/rules/*.conf\n",
            setup.display(),
            tree.display()
        );
        std::fs::write(&rules, text).unwrap();
        (name, plan(&rules))
    })
    .collect()
}

fn plan(rules: &Path) -> Arc<Plan> {
    let (directives, mut faults) = seclang::load(&[rules.to_owned()], &DiskFiles);
    let compiled = compile(&directives, &DiskFiles);
    faults.extend(compiled.diagnostics);
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{}", render(&faults))))
}

/// These rules.
pub fn written(rules: &str) -> Arc<Plan> {
    let source = seclang::source("rules", rules.as_bytes());
    let (directives, mut faults) = seclang::parse(&source, rules.as_bytes());
    let compiled = compile(&directives, &DiskFiles);
    faults.extend(compiled.diagnostics);
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{}", render(&faults))))
}

pub fn profile(plan: &Arc<Plan>, engine: Engine, budget: RuleBudget) -> Arc<Profile> {
    let mut profile = Profile::plain(plan.clone(), engine);
    profile.budget = budget;
    Arc::new(profile)
}

impl Sent {
    pub fn get(target: &str) -> Self {
        Self {
            head: format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n").into(),
            ..Self::default()
        }
    }

    pub fn post(kind: &str, body: Vec<u8>) -> Self {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            body.len()
        );
        Self { head: head.into(), body, response: Vec::new() }
    }

    pub fn field(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        self
    }

    pub fn answered(mut self, body: Vec<u8>) -> Self {
        self.response = body;
        self
    }

    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.response.len()
    }
}

/// All five phases, as the proxy runs them; each slice takes `slice`.
pub fn judge(profile: &Arc<Profile>, sent: &Sent, slice: Duration) -> Judged {
    let (mut transaction, _) = transaction(&sent.head);
    let world = World { now: UNIX_EPOCH, collections: Arc::default(), tables: Arc::default() };
    let mut inspection = Inspection::new(Arc::clone(profile), world);
    let (mut outcomes, mut pauses) = (Vec::new(), 0);
    let (mut stretch, mut before_slice) = (0, 0);
    for phase in RulePhase::ALL {
        before(phase, &mut inspection, &mut transaction, sent);
        let outcome = loop {
            let outcome = inspection.evaluate(phase, &transaction);
            inspection.took(slice);
            let work = inspection.cost().work;
            stretch = stretch.max(work - before_slice);
            before_slice = work;
            match outcome {
                Outcome::Ask(question) => inspection.answer(question, false),
                Outcome::Pause => pauses += 1,
                outcome => break outcome,
            }
        };
        outcomes.push(outcome);
    }
    let matches = inspection.matches().iter().map(|found| found.id).collect();
    Judged { cost: inspection.cost(), outcomes, pauses, stretch, matches }
}

fn before(
    phase: RulePhase,
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    sent: &Sent,
) {
    match phase {
        RulePhase::RequestBody => give_body(inspection, transaction, &sent.body),
        RulePhase::ResponseHeaders => {
            let mut headers = Headers::default();
            headers.append("Content-Type", "text/html");
            transaction.response = Some(Response { status: 200, headers });
        }
        RulePhase::ResponseBody => {
            let limit =
                inspection.response_plan(transaction).map_or(0, |(limit, _)| limit as usize);
            let seen = sent.response.get(..limit).unwrap_or(&sent.response);
            inspection.take_response_body(seen.to_vec(), seen.len() < sent.response.len());
        }
        RulePhase::Logging | RulePhase::RequestHeaders => {}
    }
}

fn give_body(inspection: &mut Inspection, transaction: &Transaction, body: &[u8]) {
    let Some(plan) = inspection.body_plan(transaction) else { return };
    let kind = transaction.request.headers.get("content-type").cloned().unwrap_or_default();
    let parsed = plan.format.map_or_else(Default::default, |format| {
        let mut parser = Parser::new(format, &kind, plan.limits.clone());
        body.chunks(1 << 16).for_each(|piece| parser.feed(piece));
        parser.finish()
    });
    let bytes = if plan.keep { body.to_vec() } else { Vec::new() };
    inspection.take_body(bytes, parsed, body.len() as u64, false);
}
