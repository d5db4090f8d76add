//! What a part's `Content-Disposition` says: its name and its file's name.

use super::MultipartFlags;

/// What is wrong with a field.
type Fault = &'static str;

/// What a part's `Content-Disposition` says.
#[derive(Debug, Default)]
pub struct Disposition {
    /// `name`
    pub name: Vec<u8>,
    /// `filename`
    pub filename: Vec<u8>,
    /// `filename*`, still encoded, without charset and language.
    filename_extended: Vec<u8>,
}

impl Disposition {
    /// Reads a field; what was understood before a fault stays.
    pub fn read(&mut self, field: &[u8], flags: &mut MultipartFlags) -> Result<(), Fault> {
        let mut rest = field.strip_prefix(b"form-data").ok_or("it is not `form-data`")?;
        rest = trim(rest);
        if !rest.is_empty() {
            rest = rest.strip_prefix(b";").ok_or("no `;` behind `form-data`")?;
            while !rest.is_empty() {
                rest = self.parameter(rest, flags)?;
            }
        }
        self.check(field)
    }

    /// What is wrong with the whole.
    fn check(&mut self, field: &[u8]) -> Result<(), Fault> {
        if self.filename.is_empty() && !self.filename_extended.is_empty() {
            self.filename = std::mem::take(&mut self.filename_extended);
            return Err("`filename*` without `filename`");
        }
        if self.name.is_empty() {
            return Err("no name");
        }
        // Simple readers look for just this text; they must not see another file name than we do.
        if !self.filename.is_empty() && memchr::memmem::find(field, b"filename=").is_none() {
            return Err("blanks before the `=` of `filename`");
        }
        Ok(())
    }

    /// One parameter; gives what follows it.
    fn parameter<'a>(
        &mut self,
        text: &'a [u8],
        flags: &mut MultipartFlags,
    ) -> Result<&'a [u8], Fault> {
        let text = trim(text);
        let end = text.iter().position(|byte| matches!(byte, b'=' | b'\t' | b' '));
        let (name, rest) = text.split_at(end.ok_or("a parameter without a value")?);
        let rest = trim(trim(rest).strip_prefix(b"=").ok_or("a parameter without `=`")?);
        let mut value = Vec::new();
        let rest = match (name, rest) {
            (_, []) => return Err("a parameter without a value"),
            (b"filename*", _) => extended(rest, &mut value)?,
            (_, [quote @ (b'"' | b'\''), rest @ ..]) => {
                flags.invalid_quoting |= *quote == b'\'';
                quoted(rest, *quote, &mut value)?
            }
            _ => {
                let (token, rest) = token(rest);
                flags.invalid_quoting |= token.contains(&b'\'');
                value.extend_from_slice(token);
                rest
            }
        };
        self.set(name, value)?;
        separator(rest, flags)
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), Fault> {
        let place = match name {
            b"name" => &mut self.name,
            b"filename" => &mut self.filename,
            b"filename*" => &mut self.filename_extended,
            _ => return Err("an unknown parameter"),
        };
        if !place.is_empty() {
            return Err("a parameter twice");
        }
        *place = value;
        Ok(())
    }
}

/// What follows the `;` behind a value; nothing if nothing is there.
fn separator<'a>(text: &'a [u8], flags: &mut MultipartFlags) -> Result<&'a [u8], Fault> {
    let blanks = text.len() - trim(text).len();
    match trim(text) {
        [] => Ok(&[]),
        [b';', rest @ ..] => Ok(rest),
        _ => {
            // Mostly a second quote, which another reader would take for the closing one.
            flags.invalid_quoting |= blanks == 0;
            Err("no `;` behind a value")
        }
    }
}

/// Appends what stands before the closing quote; gives what follows it. Only the quote and the
/// backslash can be escaped; before anything else a backslash is itself (old browsers send paths).
fn quoted<'a>(text: &'a [u8], quote: u8, value: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b'\\'] => return Err("a quote that is not closed"),
            [b'\\', next, after @ ..] if *next == quote || *next == b'\\' => {
                value.push(*next);
                after
            }
            [byte, after @ ..] if *byte == quote => return Ok(after),
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}

/// Appends the file name of `charset'language'name`; gives what follows it.
fn extended<'a>(text: &'a [u8], value: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
    let charset = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&+-^_`{}~".contains(byte);
    let mut parts = text.splitn(3, |byte| *byte == b'\'');
    let first = parts.next().unwrap_or_default();
    if first.is_empty() || !first.iter().all(charset) {
        return Err("`filename*` without a character set");
    }
    let name = parts.nth(1).ok_or("`filename*` without a language")?;
    let end = name.iter().position(|byte| *byte == b';').unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    if !is_extended(name) {
        return Err("a character that is not allowed in `filename*`");
    }
    value.extend_from_slice(name);
    Ok(rest)
}

/// Whether a text is made of allowed characters and valid escapes.
fn is_extended(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            [byte, after @ ..] if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`~".contains(byte) => {
                after
            }
            _ => return false,
        };
    }
}

/// The token at a text's beginning, and what follows it.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let ends = |byte: &u8| !byte.is_ascii_graphic() || b"()<>@,;:\\\"/[]?=".contains(byte);
    text.split_at(text.iter().position(ends).unwrap_or(text.len()))
}

/// Without blanks at its beginning.
fn trim(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|byte| !matches!(byte, b'\t' | b' ')).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}
