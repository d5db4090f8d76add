//! Variables of the body and of the time, and those that rules themselves change.

use moongate::detection::variables::Variable;
use moongate::detection::{Collection, Text, TextPart};
use moongate::shared::{CollectionKind, local_offset};
use moongate::transaction::args::Format;

use super::bodies::format_by_type;
use super::choose::value;
use super::deeds::kind;
use super::evaluator::Run;
use super::state::Value;

impl Run<'_> {
    pub fn of_body(&self, variable: Variable) -> Option<Option<Vec<u8>>> {
        let (bodies, head) = (self.bodies, &self.transaction.request.raw_head);
        let error = || bodies.error(self.transaction, &self.plan.settings);
        let number = |number: u64| Some(number.to_string().into_bytes());
        let flag = |flag: bool| number(u64::from(flag));
        let sent = || bodies.request.as_deref().unwrap_or_default();
        Some(match variable {
            Variable::ArgsCombinedSize => {
                let all = bodies.query.args.iter().chain(bodies.parsed.args.iter());
                number(all.map(|(name, text)| name.len() + text.len()).sum::<usize>() as u64)
            }
            Variable::FilesCombinedSize => {
                number(bodies.parsed.files.iter().map(|file| file.size).sum())
            }
            Variable::FullRequest => Some([head, sent()].concat()),
            Variable::FullRequestLength => number(head.len() as u64 + bodies.request_length),
            Variable::InboundDataError => flag(bodies.request_cut),
            Variable::ReqbodyError | Variable::ReqbodyProcessorError => flag(error().is_some()),
            Variable::ReqbodyErrorMsg | Variable::ReqbodyProcessorErrorMsg => {
                Some(error().unwrap_or_default().into())
            }
            Variable::RequestBody => bodies.request.clone(),
            Variable::RequestBodyLength => number(bodies.request_length),
            Variable::UrlencodedError => {
                flag(bodies.parsed.invalid_escape || bodies.query.invalid_escape)
            }
            _ => return self.of_parts(variable).map(number),
        })
    }

    /// What is odd about a multipart body.
    fn of_parts(&self, variable: Variable) -> Option<u64> {
        let parsed = &self.bodies.parsed;
        let odd = parsed.multipart.unwrap_or_default();
        let strict = [
            Variable::MultipartBoundaryQuoted,
            Variable::MultipartBoundaryWhitespace,
            Variable::MultipartDataAfter,
            Variable::MultipartDataBefore,
            Variable::MultipartFileLimitExceeded,
            Variable::MultipartHeaderFolding,
            Variable::MultipartInvalidHeaderFolding,
            Variable::MultipartInvalidPart,
            Variable::MultipartInvalidQuoting,
            Variable::MultipartLfLine,
            Variable::MultipartMissingSemicolon,
        ];
        Some(u64::from(match variable {
            Variable::MultipartBoundaryQuoted => odd.boundary_quoted,
            Variable::MultipartBoundaryWhitespace => odd.boundary_whitespace,
            Variable::MultipartCrlfLfLines => odd.crlf_lf_lines,
            Variable::MultipartDataAfter => odd.data_after,
            Variable::MultipartDataBefore => odd.data_before,
            Variable::MultipartFileLimitExceeded => odd.file_limit_exceeded,
            Variable::MultipartHeaderFolding => odd.header_folding,
            Variable::MultipartInvalidHeaderFolding => odd.invalid_header_folding,
            Variable::MultipartInvalidPart => odd.invalid_part,
            Variable::MultipartInvalidQuoting => odd.invalid_quoting,
            Variable::MultipartLfLine => odd.lf_line,
            Variable::MultipartMissingSemicolon => odd.missing_semicolon,
            Variable::MultipartStrictError => {
                let failed = parsed.multipart.is_some() && parsed.error.is_some();
                failed || strict.iter().any(|one| self.of_parts(*one) == Some(1))
            }
            Variable::MultipartUnmatchedBoundary => return Some(odd.unmatched_boundary.into()),
            _ => return None,
        }))
    }

    /// What is left: what rules change, and the time.
    pub fn of_rules(&self, variable: Variable) -> Vec<Value> {
        let state = &self.state;
        let one = |text: &[u8]| vec![value(variable, None, text)];
        let names = |values: Vec<Value>| {
            values.iter().map(|it| value(variable, None, &it.full_name())).collect()
        };
        let last: Vec<Value> = state.latest().cloned().into_iter().collect();
        match variable {
            Variable::Env => self.members(variable, &state.environment),
            Variable::Geo => self.members(variable, &state.geo),
            Variable::Global => self.kept(variable, Collection::Global),
            Variable::HighestSeverity => {
                one(state.highest.map_or(255, |it| it as u8).to_string().as_bytes())
            }
            Variable::Ip => self.kept(variable, Collection::Ip),
            Variable::MatchedVar => last,
            Variable::MatchedVarName => names(last),
            Variable::MatchedVars => state.matches_of_rule.clone(),
            Variable::MatchedVarsNames => names(state.matches_of_rule.clone()),
            Variable::ModsecBuild => one(b"030000000"),
            Variable::MscPcreError | Variable::MscPcreLimitsExceeded => {
                one(if state.cuts > 0 { b"1" } else { b"0" })
            }
            Variable::ReqbodyProcessor => {
                let format = state.processor.or_else(|| format_by_type(self.transaction));
                one(format_name(format))
            }
            Variable::Resource => self.kept(variable, Collection::Resource),
            Variable::Rule => self.members(variable, &self.of_rule()),
            Variable::Session => self.kept(variable, Collection::Session),
            Variable::SessionId => state.session_id.iter().flat_map(|id| one(id)).collect(),
            Variable::Tx => {
                let there =
                    |name: &Vec<u8>| Some((name.clone(), state.tx.values.get(name)?.clone()));
                self.members(variable, &state.tx.names.iter().filter_map(there).collect::<Vec<_>>())
            }
            Variable::User => self.kept(variable, Collection::User),
            Variable::UserId => state.user_id.iter().flat_map(|id| one(id)).collect(),
            // It has members by an XPath only.
            Variable::Xml => Vec::new(),
            _ => one(self.time(variable).as_bytes()),
        }
    }

    fn members<N: AsRef<[u8]>>(&self, variable: Variable, pairs: &[(N, Vec<u8>)]) -> Vec<Value> {
        pairs.iter().map(|(name, text)| value(variable, Some(name.as_ref()), text)).collect()
    }

    fn kept(&self, variable: Variable, collection: Collection) -> Vec<Value> {
        let wanted: Option<CollectionKind> = kind(collection);
        let opened = self.state.opened.iter().find(|id| Some(id.kind) == wanted);
        let members = opened.map(|id| self.world.collections.open(id, self.world.now));
        let members = members.unwrap_or_default();
        members.iter().map(|it| value(variable, Some(&it.name), &it.value)).collect()
    }

    /// What the running rule says of itself, its texts without their macros.
    fn of_rule(&self) -> Vec<(&'static str, Vec<u8>)> {
        let about = &self.rule.about;
        let word = |word: &Option<Box<str>>| word.as_ref().map(|it| it.as_bytes().to_vec());
        let all = [
            ("id", Some(self.rule.id.to_string().into_bytes())),
            ("logdata", about.log_data.as_ref().map(without_macros)),
            ("msg", about.message.as_ref().map(without_macros)),
            ("rev", word(&about.revision)),
            ("severity", about.severity.map(|it| (it as u8).to_string().into_bytes())),
            ("ver", word(&about.version)),
        ];
        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    fn time(&self, variable: Variable) -> String {
        let now = time::OffsetDateTime::from(self.world.now).to_offset(local_offset());
        match variable {
            Variable::Duration => {
                let passed = self.world.now.duration_since(self.transaction.started_at());
                passed.unwrap_or_default().as_millis().to_string()
            }
            Variable::Time => {
                format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second())
            }
            Variable::TimeDay => now.day().to_string(),
            Variable::TimeEpoch => now.unix_timestamp().to_string(),
            Variable::TimeHour => format!("{:02}", now.hour()),
            Variable::TimeMin => format!("{:02}", now.minute()),
            Variable::TimeMon => (now.month() as u8 - 1).to_string(),
            Variable::TimeSec => format!("{:02}", now.second()),
            Variable::TimeWday => now.weekday().number_days_from_sunday().to_string(),
            Variable::TimeYear => now.year().to_string(),
            other => panic!("the plain evaluator does not know {other:?}"),
        }
    }
}

fn without_macros(text: &Text) -> Vec<u8> {
    let fixed = text.parts.iter().filter_map(|part| match part {
        TextPart::Fixed(fixed) => Some(&fixed[..]),
        _ => None,
    });
    fixed.collect::<Vec<_>>().concat()
}

fn format_name(format: Option<Format>) -> &'static [u8] {
    match format {
        None => b"",
        Some(Format::Json) => b"JSON",
        Some(Format::Multipart) => b"MULTIPART",
        Some(Format::Raw) => b"RAW",
        Some(Format::UrlEncoded) => b"URLENCODED",
        Some(Format::Xml) => b"XML",
    }
}
