//! Our engine, as the proxy drives it: a transaction, its body parsed, five phases.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use moongate::config::{DiskFiles, Engine};
use moongate::detection::{
    Inspection, Outcome, Profile, Recall, World, compile, forget_verdicts, take_recall,
};
use moongate::diagnostic::render;
use moongate::seclang;
use moongate::shared::Collections;
use moongate::transaction::args::{Parsed, Parser};
use moongate::transaction::{
    Body, Client, Headers, Match, Request, Response, RulePhase, Transaction, Version,
};

use super::corpus::Sample;
use super::rules::OUT_OF_REACH;
use super::theirs::Finding;

/// Bytes that the proxy gives to the parser at once.
const PIECE: usize = 64 << 10;

/// What the engine keeps of exchanges that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As in service.
    Kept,
    /// Nothing: each exchange is as the first one.
    Off,
}

/// The rules, compiled.
pub struct Ours {
    profile: Arc<Profile>,
    collections: Arc<Collections>,
    /// From files to plan, by the wall clock.
    pub took: Duration,
    memory: Cell<Memory>,
}

impl Ours {
    /// Loads and compiles; the paranoia level is a setting, as `rules.paranoia` is.
    pub fn load(path: PathBuf, paranoia: u8) -> Self {
        let started = Instant::now();
        let (directives, mut faults) = seclang::load(&[path], &DiskFiles);
        let compiled = compile(&directives, &DiskFiles);
        faults.extend(compiled.diagnostics);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{}", render(&faults)));
        let took = started.elapsed();
        let (profile, _) = Profile::new(Arc::new(plan), Engine::On, &presets(paranoia), &[]);
        let collections = Arc::new(Collections::default());
        Self { profile: Arc::new(profile), collections, took, memory: Cell::new(Memory::Kept) }
    }

    /// Forgets what is kept of exchanges that are over, and keeps it from now on, or not.
    pub fn remember(&self, memory: Memory) {
        self.memory.set(memory);
        forget_verdicts(true);
    }

    /// How verdicts on values were come by since this was last asked.
    pub fn recall(&self) -> Recall {
        take_recall()
    }

    /// One exchange, from its head to its log line.
    pub fn judge(&self, sample: &Sample) -> Finding {
        if self.memory.get() == Memory::Off {
            forget_verdicts(true);
        }
        let mut transaction = transaction(sample);
        let world = World {
            now: SystemTime::now(),
            collections: self.collections.clone(),
            tables: Arc::default(),
        };
        let mut inspection = Inspection::new(self.profile.clone(), world);
        let blocked = judge_request(&mut inspection, &mut transaction, sample)
            || judge_response(&mut inspection, &mut transaction, sample);
        inspection.evaluate(RulePhase::Logging, &transaction);
        transaction.findings.get_or_insert_default().scores = inspection.scores();
        let found = inspection.matches().iter().filter(|found| found.logged);
        Finding { blocked, ids: found.map(|found: &Match| found.id).collect() }
    }
}

fn presets(paranoia: u8) -> Vec<(String, String)> {
    let levels = ["paranoia_level", "blocking_paranoia_level", "detection_paranoia_level"];
    let sums = ["inbound_anomaly_score_threshold", "outbound_anomaly_score_threshold"];
    let levels = levels.map(|name| (name.to_owned(), paranoia.to_string()));
    let sums = sums.map(|name| (name.to_owned(), OUT_OF_REACH.to_string()));
    match paranoia {
        1 => Vec::new(),
        _ => levels.into_iter().chain(sums).collect(),
    }
}

fn judge_request(
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    sample: &Sample,
) -> bool {
    if stops(inspection, RulePhase::RequestHeaders, transaction) {
        return true;
    }
    if let Some(plan) = inspection.body_plan(transaction) {
        let seen = &sample.body[..sample.body.len().min(plan.limit as usize)];
        let content_type =
            transaction.request.headers.get("content-type").cloned().unwrap_or_default();
        let parsed = plan.format.map_or_else(Parsed::default, |format| {
            let mut parser = Parser::new(format, &content_type, plan.limits.clone());
            seen.chunks(PIECE).for_each(|piece| parser.feed(piece));
            parser.finish()
        });
        // A body that is read only in part would make us look fast.
        assert_eq!(parsed.error, None, "every body of the corpus is read to its end");
        let bytes = if plan.keep { seen.to_vec() } else { Vec::new() };
        let length = sample.body.len() as u64;
        inspection.take_body(bytes, parsed, length, length > plan.limit);
    }
    stops(inspection, RulePhase::RequestBody, transaction)
}

fn judge_response(
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    sample: &Sample,
) -> bool {
    transaction.response =
        Some(Response { status: 200, headers: headers(&sample.response_headers) });
    if stops(inspection, RulePhase::ResponseHeaders, transaction) {
        return true;
    }
    if let Some((limit, _)) = inspection.response_plan(transaction) {
        let body = &sample.response_body;
        let seen = body.len().min(limit as usize);
        inspection.take_response_body(body[..seen].to_vec(), seen < body.len());
    }
    stops(inspection, RulePhase::ResponseBody, transaction)
}

fn stops(inspection: &mut Inspection, phase: RulePhase, transaction: &Transaction) -> bool {
    match inspection.evaluate(phase, transaction) {
        Outcome::Pause => stops(inspection, phase, transaction),
        Outcome::Exceeded => panic!("{:?}", inspection.cost()),
        Outcome::Ask(question) => panic!("no rule of the Core Rule Set asks {question:?}"),
        Outcome::Interrupt(_) => true,
        Outcome::Pass => false,
    }
}

fn transaction(sample: &Sample) -> Transaction {
    let mut request = Request::new(
        sample.method.clone(),
        sample.target.clone(),
        Version::Http11,
        headers(&sample.headers),
    );
    request.raw_head = sample.head.clone();
    let client = Client {
        address: [192, 0, 2, 7].into(),
        port: 40_000,
        socket: ([192, 0, 2, 7], 40_000).into(),
        server: ([198, 51, 100, 1], 8080).into(),
        listener: ([198, 51, 100, 1], 8080).into(),
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    };
    let id = "00c0ffee00c0ffee".to_owned();
    let mut transaction = Transaction::new(id, Instant::now(), client, request);
    if !sample.body.is_empty() {
        transaction.body = Body::Memory(sample.body.clone());
    }
    transaction
}

fn headers(fields: &[(Bytes, Bytes)]) -> Headers {
    let mut headers = Headers::with_capacity(fields.len());
    for (name, value) in fields {
        headers.append(name.clone(), value.clone());
    }
    headers.received();
    headers
}
