//! Variables: what rules can look at. One list; each family is read from the transaction in a file
//! of its own.

mod args;
mod body;
mod changing;
mod connection;
mod files;
mod request;
mod response;
mod time;
mod variable;
mod view;

use std::sync::LazyLock;

pub(in crate::detection) use args::limits;
pub(in crate::detection) use body::{error, format_by_type};
pub(in crate::detection) use changing::{changes_within_phase, read_changing};
pub(in crate::detection) use response::media_type;
pub use variable::Variable;
pub(in crate::detection) use view::{Bodies, Out, Sink, View};

/// What a variable is.
pub struct VariableSpec {
    /// As rules write it, in capitals.
    pub name: &'static str,
    /// It.
    pub variable: Variable,
    /// Whether it has members that a selector can choose (`ARGS:id`).
    pub collection: bool,
    /// The first rule phase in which it is known, 1 to 5.
    pub phase: u8,
    /// One sentence for the generated page.
    pub doc: &'static str,
}

/// All of them, by name.
#[rustfmt::skip]
pub const VARIABLES: &[VariableSpec] = &[
    collection("ARGS", Variable::Args, 1, "Arguments of the query and, from phase 2, of the body."),
    single("ARGS_COMBINED_SIZE", Variable::ArgsCombinedSize, 1, "Bytes of all argument names and values together."),
    collection("ARGS_GET", Variable::ArgsGet, 1, "Arguments of the query."),
    collection("ARGS_GET_NAMES", Variable::ArgsGetNames, 1, "Names of the query's arguments."),
    collection("ARGS_NAMES", Variable::ArgsNames, 1, "Names of all arguments."),
    collection("ARGS_POST", Variable::ArgsPost, 2, "Arguments of the body."),
    collection("ARGS_POST_NAMES", Variable::ArgsPostNames, 2, "Names of the body's arguments."),
    single("AUTH_TYPE", Variable::AuthType, 1, "The scheme of the `Authorization` header."),
    single("DURATION", Variable::Duration, 1, "Milliseconds since the exchange began."),
    collection("ENV", Variable::Env, 1, "What `setenv` set."),
    collection("FILES", Variable::Files, 2, "The client's names of uploaded files, by the name of their field."),
    single("FILES_COMBINED_SIZE", Variable::FilesCombinedSize, 2, "Bytes of all uploaded files together."),
    collection("FILES_NAMES", Variable::FilesNames, 2, "Names of the fields that uploaded files came in."),
    collection("FILES_SIZES", Variable::FilesSizes, 2, "Bytes of each uploaded file, by the name of its field."),
    collection("FILES_TMPNAMES", Variable::FilesTmpNames, 2, "Names of the temporary files of uploads."),
    collection("FILES_TMP_CONTENT", Variable::FilesTmpContent, 2, "The content of each uploaded file, by the name of its field."),
    single("FULL_REQUEST", Variable::FullRequest, 2, "The request line, headers and body as one text."),
    single("FULL_REQUEST_LENGTH", Variable::FullRequestLength, 2, "Bytes of `FULL_REQUEST`."),
    collection("GEO", Variable::Geo, 1, "What `@geoLookup` found."),
    collection("GLOBAL", Variable::Global, 1, "The persistent collection that all exchanges share."),
    single("HIGHEST_SEVERITY", Variable::HighestSeverity, 1, "The gravest severity of the rules that matched so far, as a number; 255 before any."),
    single("INBOUND_DATA_ERROR", Variable::InboundDataError, 2, "1 if the request body was longer than its limit."),
    collection("IP", Variable::Ip, 1, "The persistent collection opened by `initcol:ip`."),
    single("MATCHED_VAR", Variable::MatchedVar, 1, "The value that matched last."),
    collection("MATCHED_VARS", Variable::MatchedVars, 1, "All values that matched in this rule's link."),
    collection("MATCHED_VARS_NAMES", Variable::MatchedVarsNames, 1, "The names of all that matched in this rule's link."),
    single("MATCHED_VAR_NAME", Variable::MatchedVarName, 1, "The name of what matched last, such as `ARGS:q`."),
    single("MODSEC_BUILD", Variable::ModsecBuild, 1, "The engine's version as a number."),
    single("MSC_PCRE_ERROR", Variable::MscPcreError, 1, "1 if an expression gave up at its step limit."),
    single("MSC_PCRE_LIMITS_EXCEEDED", Variable::MscPcreLimitsExceeded, 1, "1 if an expression gave up at its step limit."),
    single("MULTIPART_BOUNDARY_QUOTED", Variable::MultipartBoundaryQuoted, 2, "1 if the boundary stood in quotes."),
    single("MULTIPART_BOUNDARY_WHITESPACE", Variable::MultipartBoundaryWhitespace, 2, "1 if there were blanks in the boundary."),
    single("MULTIPART_CRLF_LF_LINES", Variable::MultipartCrlfLfLines, 2, "1 if lines ended sometimes in CRLF and sometimes in LF."),
    single("MULTIPART_DATA_AFTER", Variable::MultipartDataAfter, 2, "1 if something came after the last boundary."),
    single("MULTIPART_DATA_BEFORE", Variable::MultipartDataBefore, 2, "1 if something came before the first boundary."),
    collection("MULTIPART_FILENAME", Variable::MultipartFilename, 2, "The `filename` of each part."),
    single("MULTIPART_FILE_LIMIT_EXCEEDED", Variable::MultipartFileLimitExceeded, 2, "1 if there were more files than `SecUploadFileLimit`."),
    single("MULTIPART_HEADER_FOLDING", Variable::MultipartHeaderFolding, 2, "1 if a part's header went on in the next line."),
    single("MULTIPART_INVALID_HEADER_FOLDING", Variable::MultipartInvalidHeaderFolding, 2, "1 if it did so with something other than a blank or tab."),
    single("MULTIPART_INVALID_PART", Variable::MultipartInvalidPart, 2, "1 if a part could not be read."),
    single("MULTIPART_INVALID_QUOTING", Variable::MultipartInvalidQuoting, 2, "1 if a name was quoted wrongly."),
    single("MULTIPART_LF_LINE", Variable::MultipartLfLine, 2, "1 if a line ended in a bare LF."),
    single("MULTIPART_MISSING_SEMICOLON", Variable::MultipartMissingSemicolon, 2, "1 if a semicolon was missing in `Content-Type`."),
    collection("MULTIPART_NAME", Variable::MultipartName, 2, "The `name` of each part."),
    collection("MULTIPART_PART_HEADERS", Variable::MultipartPartHeaders, 2, "The header lines of each part, by its name."),
    single("MULTIPART_STRICT_ERROR", Variable::MultipartStrictError, 2, "1 if any of the multipart faults occurred."),
    single("MULTIPART_UNMATCHED_BOUNDARY", Variable::MultipartUnmatchedBoundary, 2, "1 or 2 if a line looked like a boundary and was none."),
    single("OUTBOUND_DATA_ERROR", Variable::OutboundDataError, 4, "1 if the response body was longer than its limit."),
    single("PATH_INFO", Variable::PathInfo, 1, "The path, as `REQUEST_FILENAME`."),
    single("QUERY_STRING", Variable::QueryString, 1, "What follows the `?`, as sent."),
    single("REMOTE_ADDR", Variable::RemoteAddr, 1, "The client's address."),
    single("REMOTE_HOST", Variable::RemoteHost, 1, "The client's address: names are not resolved."),
    single("REMOTE_PORT", Variable::RemotePort, 1, "The client's port."),
    single("REMOTE_USER", Variable::RemoteUser, 1, "The user name of basic authentication."),
    single("REQBODY_ERROR", Variable::ReqbodyError, 2, "1 if the body could not be read in its format."),
    single("REQBODY_ERROR_MSG", Variable::ReqbodyErrorMsg, 2, "Why."),
    single("REQBODY_PROCESSOR", Variable::ReqbodyProcessor, 1, "The body's format: `URLENCODED`, `MULTIPART`, `JSON`, `XML`; empty for none."),
    single("REQBODY_PROCESSOR_ERROR", Variable::ReqbodyProcessorError, 2, "As `REQBODY_ERROR`."),
    single("REQBODY_PROCESSOR_ERROR_MSG", Variable::ReqbodyProcessorErrorMsg, 2, "As `REQBODY_ERROR_MSG`."),
    single("REQUEST_BASENAME", Variable::RequestBasename, 1, "The last part of the path."),
    single("REQUEST_BODY", Variable::RequestBody, 2, "The body's bytes."),
    single("REQUEST_BODY_LENGTH", Variable::RequestBodyLength, 2, "The body's length in bytes."),
    collection("REQUEST_COOKIES", Variable::RequestCookies, 1, "Cookies."),
    collection("REQUEST_COOKIES_NAMES", Variable::RequestCookiesNames, 1, "Names of cookies."),
    single("REQUEST_FILENAME", Variable::RequestFilename, 1, "The path, without the query."),
    collection("REQUEST_HEADERS", Variable::RequestHeaders, 1, "Request headers."),
    collection("REQUEST_HEADERS_NAMES", Variable::RequestHeadersNames, 1, "Names of request headers."),
    single("REQUEST_LINE", Variable::RequestLine, 1, "The request line as sent."),
    single("REQUEST_METHOD", Variable::RequestMethod, 1, "The method."),
    single("REQUEST_PROTOCOL", Variable::RequestProtocol, 1, "The protocol's version, such as `HTTP/1.1`."),
    single("REQUEST_URI", Variable::RequestUri, 1, "Path and query, without scheme and host."),
    single("REQUEST_URI_RAW", Variable::RequestUriRaw, 1, "The request's target as sent, with scheme and host if it had them."),
    collection("RESOURCE", Variable::Resource, 1, "The persistent collection opened by `setrsc` or `initcol:resource`."),
    single("RESPONSE_BODY", Variable::ResponseBody, 4, "The response body, decompressed."),
    single("RESPONSE_CONTENT_LENGTH", Variable::ResponseContentLength, 3, "The length of the response body, if it is known."),
    single("RESPONSE_CONTENT_TYPE", Variable::ResponseContentType, 3, "The response's media type."),
    collection("RESPONSE_HEADERS", Variable::ResponseHeaders, 3, "Response headers."),
    collection("RESPONSE_HEADERS_NAMES", Variable::ResponseHeadersNames, 3, "Names of response headers."),
    single("RESPONSE_PROTOCOL", Variable::ResponseProtocol, 3, "The protocol's version of the response."),
    single("RESPONSE_STATUS", Variable::ResponseStatus, 3, "The response's status."),
    collection("RULE", Variable::Rule, 1, "What the running rule says of itself."),
    single("SERVER_ADDR", Variable::ServerAddr, 1, "The address that the request came to."),
    single("SERVER_NAME", Variable::ServerName, 1, "The host that the request asks for."),
    single("SERVER_PORT", Variable::ServerPort, 1, "The port that the request came to."),
    collection("SESSION", Variable::Session, 1, "The persistent collection opened by `setsid` or `initcol:session`."),
    single("SESSIONID", Variable::SessionId, 1, "What `setsid` set."),
    single("STATUS_LINE", Variable::StatusLine, 3, "The response's first line."),
    single("TIME", Variable::Time, 1, "The time as `HH:MM:SS`."),
    single("TIME_DAY", Variable::TimeDay, 1, "The day of the month, 1 to 31."),
    single("TIME_EPOCH", Variable::TimeEpoch, 1, "Seconds since 1970."),
    single("TIME_HOUR", Variable::TimeHour, 1, "The hour, 0 to 23."),
    single("TIME_MIN", Variable::TimeMin, 1, "The minute."),
    single("TIME_MON", Variable::TimeMon, 1, "The month, 0 to 11."),
    single("TIME_SEC", Variable::TimeSec, 1, "The second."),
    single("TIME_WDAY", Variable::TimeWday, 1, "The day of the week, 0 (Sunday) to 6."),
    single("TIME_YEAR", Variable::TimeYear, 1, "The year."),
    collection("TX", Variable::Tx, 1, "What rules set for this exchange."),
    single("UNIQUE_ID", Variable::UniqueId, 1, "The exchange's id."),
    single("URLENCODED_ERROR", Variable::UrlencodedError, 1, "1 if a form or query had an invalid percent escape."),
    collection("USER", Variable::User, 1, "The persistent collection opened by `setuid` or `initcol:user`."),
    single("USERID", Variable::UserId, 1, "What `setuid` set."),
    single("WEBAPPID", Variable::WebAppId, 1, "What `SecWebAppId` set."),
    collection("XML", Variable::Xml, 2, "What an XPath selects in an XML body."),
];

/// Other spellings that rules use, and the name each stands for.
pub const ALIASES: &[(&str, &str)] = &[
    ("FILES_TMP_NAMES", "FILES_TMPNAMES"),
    ("MULTIPART_SEMICOLON_MISSING", "MULTIPART_MISSING_SEMICOLON"),
    ("STATUS", "RESPONSE_STATUS"),
];

/// By variable.
static SPECS: LazyLock<Vec<&VariableSpec>> = LazyLock::new(|| {
    let mut specs: Vec<&VariableSpec> = VARIABLES.iter().collect();
    specs.sort_unstable_by_key(|spec| spec.variable);
    specs
});

/// The one of this name or alias, in any case.
pub fn find(name: &str) -> Option<&'static VariableSpec> {
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |(_, name)| *name);
    VARIABLES.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

impl Variable {
    /// What it is.
    pub fn spec(self) -> &'static VariableSpec {
        SPECS.get(self as usize).copied().expect("a test holds that the list has every variable")
    }
}

const fn collection(
    name: &'static str,
    variable: Variable,
    phase: u8,
    doc: &'static str,
) -> VariableSpec {
    VariableSpec { name, variable, collection: true, phase, doc }
}

const fn single(
    name: &'static str,
    variable: Variable,
    phase: u8,
    doc: &'static str,
) -> VariableSpec {
    VariableSpec { name, variable, collection: false, phase, doc }
}

#[cfg(test)]
mod tests {
    use super::{VARIABLES, Variable, find};

    #[test]
    fn every_variable_is_listed_once_and_the_list_is_sorted() {
        let mut listed: Vec<Variable> = VARIABLES.iter().map(|known| known.variable).collect();
        listed.sort_unstable();
        listed.dedup();
        assert_eq!(listed.len(), VARIABLES.len());
        assert_eq!(listed.len(), Variable::Xml as usize + 1, "the last variant's number");
        assert!(VARIABLES.is_sorted_by_key(|known| known.name));
    }

    #[test]
    fn a_variable_is_found_in_any_case() {
        assert!(find("request_Headers").is_some_and(|known| known.collection));
        assert!(find("REQUEST_HEADER").is_none());
    }

    #[test]
    fn an_alias_finds_what_it_stands_for() {
        let found = super::ALIASES.iter().map(|(alias, name)| (find(alias), *name));
        assert!(found.into_iter().all(|(found, name)| found.is_some_and(|it| it.name == name)));
    }
}
