//! What never reaches a log: values of header fields and query arguments that carry secrets, and
//! secrets that scripts may read, wherever they stand.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use percent_encoding::percent_decode;

use crate::config::{REDACTED, Secrets};

/// The secrets of the policy in force.
static SECRETS: ArcSwapOption<Secrets> = ArcSwapOption::const_empty();

/// From now on no line of an access log or the event log shows one of these.
pub fn set_secrets(secrets: Arc<Secrets>) {
    SECRETS.store(Some(secrets).filter(|secrets| !secrets.hides_nothing()));
}

/// A text without secrets that scripts may read.
pub(super) fn secrets(text: &[u8]) -> Cow<'_, [u8]> {
    match &*SECRETS.load() {
        Some(secrets) => secrets.redacted(text),
        None => Cow::Borrowed(text),
    }
}

/// Header fields whose values are secrets, in lower case.
const FIELDS: [&[u8]; 4] = [b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"];
/// Query arguments whose values are secrets, in lower case.
const ARGUMENTS: [&[u8]; 7] =
    [b"access_token", b"api_key", b"apikey", b"passwd", b"password", b"secret", b"token"];

/// Whether the value of this header field is a secret.
fn is_secret_field(name: &[u8]) -> bool {
    FIELDS.iter().any(|field| name.trim_ascii().eq_ignore_ascii_case(field))
}

/// The value of a header field as it may be written down: any may hold an address with a query.
pub fn field<'a>(name: &[u8], value: &'a [u8]) -> Cow<'a, [u8]> {
    if is_secret_field(name) { Cow::Borrowed(REDACTED) } else { target(value) }
}

/// A query (without its `?`) as it may be written down. Arguments end at `&` or `;`, so that a
/// secret behind either is found; borrowed where there is none.
pub fn query(query: &[u8]) -> Cow<'_, [u8]> {
    let is_end = |byte: &u8| matches!(byte, b'&' | b';');
    if !query.split(is_end).any(has_secret) {
        return Cow::Borrowed(query);
    }
    let mut shown = Vec::with_capacity(query.len());
    for argument in query.split_inclusive(is_end) {
        let bare = argument.strip_suffix(b"&").or(argument.strip_suffix(b";")).unwrap_or(argument);
        match memchr::memchr(b'=', bare).filter(|_| has_secret(bare)) {
            Some(equals) => {
                shown.extend_from_slice(bare.get(..=equals).unwrap_or_default());
                shown.extend_from_slice(REDACTED);
            }
            None => shown.extend_from_slice(bare),
        }
        shown.extend_from_slice(argument.get(bare.len()..).unwrap_or_default());
    }
    Cow::Owned(shown)
}

/// A target or an address such as `Referer` has, with its query as it may be written down.
pub fn target(target: &[u8]) -> Cow<'_, [u8]> {
    let Some(mark) = memchr::memchr(b'?', target) else { return Cow::Borrowed(target) };
    let (before, after) = target.split_at(mark + 1);
    match query(after) {
        Cow::Borrowed(_) => Cow::Borrowed(target),
        Cow::Owned(shown) => Cow::Owned([before, &shown].concat()),
    }
}

/// The value of a rule's variable, such as `ARGS:password`, as it may be written down.
pub fn matched<'a>(variable: &[u8], value: &'a [u8]) -> Cow<'a, [u8]> {
    if is_secret_variable(variable) {
        return Cow::Borrowed(REDACTED);
    }
    match variable {
        b"FULL_REQUEST" | b"QUERY_STRING" | b"REQUEST_BODY" => query(value),
        _ => target(value),
    }
}

/// What a rule says of its match. If a value in it may be a secret, nothing of it is shown: where
/// in the text the value stands, nobody knows.
pub fn told<'a>(variable: &[u8], text: &'a [u8]) -> Cow<'a, [u8]> {
    let names = |word: &[u8]| is_secret_variable(word.strip_suffix(b":").unwrap_or(word));
    let secret = is_secret_variable(variable) || text.split(u8::is_ascii_whitespace).any(names);
    if secret { Cow::Borrowed(REDACTED) } else { target(text) }
}

/// Whether the variable's value is a secret; its name may begin with others (`MATCHED_VARS:ARGS:a`).
fn is_secret_variable(variable: &[u8]) -> bool {
    let mut rest = variable;
    while let Some(colon) = memchr::memchr(b':', rest) {
        let (collection, member) = rest.split_at(colon);
        rest = member.get(1..).unwrap_or_default();
        let secret = match collection {
            b"ARGS" | b"ARGS_GET" | b"ARGS_POST" => is_secret_name(rest),
            b"REQUEST_COOKIES" => true,
            b"REQUEST_HEADERS" | b"RESPONSE_HEADERS" => is_secret_field(rest),
            _ => false,
        };
        if secret {
            return true;
        }
    }
    false
}

/// Whether `name=value` has a name whose values are secrets, however it is encoded: `pass%77ord`,
/// `user[password]`.
fn has_secret(argument: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', argument) else { return false };
    let name = argument.get(..equals).unwrap_or_default();
    let decoded: Cow<'_, [u8]> = percent_decode(name).into();
    is_secret_name(&decoded)
}

/// Whether an argument of that name is a secret, wherever it stands in a structure:
/// `user[password]`, `json.user.password`.
fn is_secret_name(name: &[u8]) -> bool {
    let last = name.rsplit(|byte| matches!(byte, b'.' | b'[')).next().unwrap_or_default();
    let bare = last.strip_suffix(b"]").unwrap_or(last);
    ARGUMENTS.iter().any(|secret| bare.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::{field, matched, query, target, told};

    #[test]
    fn secrets_in_queries_are_not_shown() {
        for (sent, shown) in [
            ("", ""),
            ("q=shoes&page=2", "q=shoes&page=2"),
            ("password=hunter2", "password=[redacted]"),
            ("a=1&token=abc=def&b=2", "a=1&token=[redacted]&b=2"),
            ("a=1;api_key=k;b=2", "a=1;api_key=[redacted];b=2"),
            ("PassWd=x&", "PassWd=[redacted]&"),
            ("pass%77ord=x", "pass%77ord=[redacted]"),
            ("user[password]=x", "user[password]=[redacted]"),
            ("user%5Bsecret%5D=x", "user%5Bsecret%5D=[redacted]"),
            ("token", "token"),
            ("tokens=3&xpassword=4", "tokens=3&xpassword=4"),
        ] {
            assert_eq!(String::from_utf8_lossy(&query(sent.as_bytes())), shown, "{sent}");
        }
    }

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        let shown = target(b"https://shop.example/reset?token=abc&lang=en");
        assert_eq!(&*shown, b"https://shop.example/reset?token=[redacted]&lang=en");
        assert_eq!(&*target(b"/token=abc"), b"/token=abc");
    }

    #[test]
    fn secret_fields_are_found_in_any_case_and_with_space_around_their_name() {
        for name in ["Authorization", "COOKIE", "Set-Cookie ", "proxy-authorization"] {
            assert_eq!(&*field(name.as_bytes(), b"s3cret"), b"[redacted]", "{name}");
        }
        assert_eq!(&*field(b"accept", b"*/*"), b"*/*");
        assert_eq!(&*field(b"x-url", b"/a?secret=b"), b"/a?secret=[redacted]");
    }

    #[test]
    fn what_a_rule_matched_in_a_secret_is_not_shown() {
        for variable in [
            "ARGS:password",
            "ARGS_POST:user[passwd]",
            "ARGS:json.login.token",
            "REQUEST_COOKIES:sid",
            "REQUEST_HEADERS:Authorization",
            "MATCHED_VARS:ARGS:secret",
        ] {
            assert_eq!(&*matched(variable.as_bytes(), b"s3cret"), b"[redacted]", "{variable}");
            let data = format!("Matched Data: s3 found within {variable}: s3cret");
            assert_eq!(&*told(b"TX:0", data.as_bytes()), b"[redacted]", "{variable}");
        }
        assert_eq!(&*matched(b"ARGS:q", b"1' or 1"), b"1' or 1");
        assert_eq!(&*matched(b"REQUEST_COOKIES_NAMES:sid", b"sid"), b"sid");
        assert_eq!(&*matched(b"QUERY_STRING", b"a=1&token=x"), b"a=1&token=[redacted]");
        assert_eq!(
            &*told(b"ARGS:q", b"found within ARGS:q: <script>"),
            b"found within ARGS:q: <script>"
        );
    }
}
