//! The boundary that a content type names.

use memchr::memmem;

use super::{MultipartFlags, is_space};

const MIME_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";
/// The longest content type that is looked at, in bytes.
const LONGEST: usize = 1024;

/// The boundary with the two hyphens that stand before it in a body, or what is wrong.
pub fn parse(content_type: &[u8], flags: &mut MultipartFlags) -> Result<Vec<u8>, &'static str> {
    if content_type.len() > LONGEST {
        return Err("the field is too long");
    }
    if !content_type.get(..MIME_TYPE.len()).is_some_and(|it| it.eq_ignore_ascii_case(MIME_TYPE)) {
        return Err("it is not multipart/form-data");
    }
    match mentions(content_type) {
        0 => return Err("there is none"),
        1 => {}
        _ => return Err("there are several"),
    }
    let place = memmem::find(content_type, PARAMETER).ok_or("`boundary` is not in lower case")?;
    let (before, parameter) = content_type.split_at(place);
    before_parameter(before.get(MIME_TYPE.len()..).unwrap_or_default(), flags)?;
    let value = value(parameter.get(PARAMETER.len()..).unwrap_or_default(), flags)?;
    if mentions(value) > 0 {
        return Err("it says `boundary` once more");
    }
    Ok([b"--", valid(value)?].concat())
}

/// How often `boundary` occurs with a `=` somewhere behind it.
fn mentions(text: &[u8]) -> usize {
    let lower = text.to_ascii_lowercase();
    let last_equals = memchr::memrchr(b'=', &lower).unwrap_or(0);
    memmem::find_iter(&lower, PARAMETER).filter(|place| *place < last_equals).count()
}

/// Between the type and the parameter: blanks, and one semicolon.
fn before_parameter(between: &[u8], flags: &mut MultipartFlags) -> Result<(), &'static str> {
    let mut marks = between.iter().filter(|byte| !is_space(**byte));
    match (marks.next(), marks.next()) {
        (None, _) => flags.missing_semicolon = true,
        (Some(b';'), None) => {}
        _ => return Err("something stands before it"),
    }
    Ok(())
}

/// The parameter's value out of what follows its name.
fn value<'a>(after: &'a [u8], flags: &mut MultipartFlags) -> Result<&'a [u8], &'static str> {
    let equals = memchr::memchr(b'=', after).ok_or("it has no value")?;
    let (blanks, value) = after.split_at(equals);
    let value = value.get(1..).unwrap_or_default();
    if !blanks.iter().all(|byte| is_space(*byte)) {
        return Err("its name goes on");
    }
    flags.boundary_whitespace = !blanks.is_empty() || value.first().is_some_and(|it| is_space(*it));
    match value {
        [b'"', quoted @ .., b'"'] => {
            flags.boundary_quoted = true;
            Ok(quoted)
        }
        [b'"', ..] | [_, .., b'"'] => Err("it has one quote only"),
        _ => Ok(value),
    }
}

/// The value, if its characters are allowed (RFC 2046); one more parameter behind it is tolerated.
fn valid(value: &[u8]) -> Result<&[u8], &'static str> {
    let first = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let value = if characters_allowed(value) { value } else { first };
    match value {
        [] => Err("it is empty"),
        _ if characters_allowed(value) => Ok(value),
        _ => Err("it has a character that is not allowed"),
    }
}

fn characters_allowed(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+_,-./:=?".contains(byte);
    !value.ends_with(b" ") && value.iter().all(allowed)
}
