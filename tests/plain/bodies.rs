//! Bodies: how they are to be read, and what they were.

use moongate::detection::variables::Variable;
use moongate::detection::{BodyPlan, Overflow, Settings};
use moongate::transaction::Transaction;
use moongate::transaction::args::{Format, Limits, Parsed, cookies, query};

use super::evaluator::Plain;

/// Bytes of each upload that rules look into.
const FILE_CONTENT: usize = 128 << 10;

#[derive(Default)]
pub struct Bodies {
    pub query: Parsed,
    pub parsed: Parsed,
    /// Its bytes, if they are kept; none if it is empty.
    pub request: Option<Vec<u8>>,
    pub request_length: u64,
    pub request_cut: bool,
    pub response: Option<Vec<u8>>,
    pub response_cut: bool,
}

impl Bodies {
    pub fn read_query(&mut self, transaction: &Transaction, settings: &Settings) {
        let text = transaction.request.query.as_deref().unwrap_or_default();
        self.query = query(text, &limits(settings));
    }

    pub fn take_request(&mut self, bytes: Vec<u8>, parsed: Parsed, length: u64, cut: bool) {
        self.request = Some(bytes).filter(|bytes| !bytes.is_empty());
        self.parsed = parsed;
        self.request_length = length;
        self.request_cut = cut;
    }

    /// What could not be read of body, query or cookies.
    pub fn error(&self, transaction: &Transaction, settings: &Settings) -> Option<String> {
        let most = settings.arguments;
        let fields = transaction.request.headers.get_all("cookie");
        let many = fields.map(|field| cookies(field).len()).sum::<usize>() > most;
        let of_cookies = many.then(|| format!("more than {most} cookies"));
        self.parsed.error.clone().or(self.query.error.clone()).or(of_cookies)
    }
}

impl Plain {
    /// After phase 1.
    pub fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan> {
        let (settings, state) = (&self.profile.plan.settings, &self.state);
        if !state.request_body.unwrap_or(settings.request_body_access) {
            return None;
        }
        let format = state.processor.or_else(|| format_by_type(transaction));
        let mut limits = limits(settings);
        let mut targets = self.profile.plan.target_sets.iter().flat_map(|set| &set.included);
        let content = targets.any(|target| target.variable == Variable::FilesTmpContent);
        if content && format == Some(Format::Multipart) {
            limits.file_content = FILE_CONTENT;
        }
        Some(BodyPlan {
            format,
            limits,
            limit: state.request_limit.unwrap_or(settings.request_body_limit),
            overflow: settings.request_body_overflow,
            keep: match format {
                Some(Format::Json | Format::Raw | Format::UrlEncoded) => true,
                Some(Format::Multipart) => false,
                None | Some(Format::Xml) => state.force_body,
            },
        })
    }

    /// After phase 3.
    pub fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)> {
        let (settings, state) = (&self.profile.plan.settings, &self.state);
        let response = transaction.response.as_ref()?;
        let named = response.headers.get("content-type").map(|field| media_type(field));
        let named = named.unwrap_or_default().to_ascii_lowercase();
        let known = settings.response_types.iter().any(|known| known.as_bytes() == named);
        let access = state.response_body.unwrap_or(settings.response_body_access);
        let limit = state.response_limit.unwrap_or(settings.response_body_limit);
        (access && (known || named.is_empty())).then_some((limit, settings.response_body_overflow))
    }

    /// What could not be read, where no rule looks at `REQBODY_ERROR`.
    pub fn unread(&self, transaction: &Transaction) -> Option<String> {
        let plan = &self.profile.plan;
        let errors = [Variable::ReqbodyError, Variable::ReqbodyProcessorError];
        let mut targets = plan.target_sets.iter().flat_map(|set| &set.included);
        if targets.any(|target| errors.contains(&target.variable))
            || self.state.is_over(moongate::transaction::RulePhase::RequestBody)
        {
            return None;
        }
        self.bodies.error(transaction, &plan.settings)
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        arguments: settings.arguments,
        depth: settings.json_depth,
        without_files: settings.request_body_no_files_limit as usize,
        separator: settings.separator,
        files: settings.files,
        file_content: 0,
    }
}

pub fn media_type(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

pub fn format_by_type(transaction: &Transaction) -> Option<Format> {
    let field = transaction.request.headers.get("content-type")?.to_ascii_lowercase();
    let name = media_type(&field);
    if field.starts_with(b"multipart/form-data") {
        Some(Format::Multipart)
    } else if field.starts_with(b"application/x-www-form-urlencoded") {
        Some(Format::UrlEncoded)
    } else if field.starts_with(b"application/json") || name.ends_with(b"+json") {
        Some(Format::Json)
    } else if field.starts_with(b"application/xml")
        || field.starts_with(b"text/xml")
        || name.ends_with(b"+xml")
    {
        Some(Format::Xml)
    } else {
        None
    }
}
