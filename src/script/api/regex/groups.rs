//! Groups of a PCRE, their names, and references to them.

use super::pcre::{Outcome, Translator};

/// Bytes of a group's name, as PCRE has it.
const LONGEST_NAME: usize = 32;

impl Translator<'_> {
    /// Puts what only an engine that backtracks can run.
    pub(super) fn backtracking(&mut self, text: &str) -> Outcome {
        self.backtracks = true;
        self.put(text)
    }

    pub(super) fn group(&mut self) -> Outcome {
        match self.rest {
            [b'*', ..] => Err("backtracking verbs are not supported".to_owned()),
            [b'?', b'|', ..] => Err("branch reset groups are not supported".to_owned()),
            [b'?', b'R' | b'&' | b'+' | b'0'..=b'9', ..] | [b'?', b'P', b'>', ..] => {
                Err("recursion is not supported".to_owned())
            }
            [b'?', b'(', rest @ ..] => {
                self.rest = rest;
                self.backtracking("(?(")
            }
            [b'?', b'<', look @ (b'=' | b'!'), rest @ ..] => {
                self.rest = rest;
                self.backtracking(if *look == b'=' { "(?<=" } else { "(?<!" })
            }
            [b'?', kind @ (b'=' | b'!' | b'>'), rest @ ..] => {
                self.rest = rest;
                self.backtracking(match kind {
                    b'=' => "(?=",
                    b'!' => "(?!",
                    _ => "(?>",
                })
            }
            [b'?', b'P', b'=', rest @ ..] => {
                self.rest = rest;
                self.named_reference(b')')
            }
            [b'?', b'#', ..] => self.comment(),
            [b'?', b'\'', rest @ ..] => self.named(rest, b'\''),
            [b'?', b'P', b'<', rest @ ..] | [b'?', b'<', rest @ ..] => self.named(rest, b'>'),
            [b'?', rest @ ..] => {
                self.rest = rest;
                self.put("(?")
            }
            _ => {
                self.groups += 1;
                self.put("(")
            }
        }
    }

    /// A group that captures, with a name up to `end`.
    fn named(&mut self, rest: &[u8], end: u8) -> Outcome {
        self.rest = self.rest.get(self.rest.len() - rest.len()..).unwrap_or_default();
        let name = self.name(end)?;
        self.groups += 1;
        self.names.push((name, self.groups));
        self.put("(")
    }

    fn name(&mut self, end: u8) -> Result<String, String> {
        let wrong = "syntax error in subpattern name (missing terminator)";
        let length = memchr::memchr(end, self.rest).ok_or(wrong)?;
        let name = self.rest.get(..length).unwrap_or_default();
        let fits = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !fits || name.is_empty() || name.len() > LONGEST_NAME {
            return Err(wrong.to_owned());
        }
        self.rest = self.rest.get(length + 1..).unwrap_or_default();
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// A back-reference by a name up to `end`.
    pub(super) fn named_reference(&mut self, end: u8) -> Outcome {
        let name = self.name(end)?;
        let known = self.names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
        let number = known.ok_or("reference to non-existent subpattern")?;
        self.backtracking(&format!(r"(?:\{number})"))
    }

    /// `\g{2}`, `\g2`, `\g{-1}`, `\g{name}`.
    pub(super) fn numbered_reference(&mut self) -> Outcome {
        let braced = self.rest.first() == Some(&b'{');
        if braced {
            self.next();
        }
        let back = self.rest.first() == Some(&b'-');
        if back {
            self.next();
        }
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 && braced && !back {
            return self.named_reference(b'}');
        }
        let number = std::str::from_utf8(self.rest.get(..digits).unwrap_or_default());
        let number: usize = number.ok().and_then(|digits| digits.parse().ok()).unwrap_or_default();
        self.rest = self.rest.get(digits..).unwrap_or_default();
        if braced && self.next() != Some(b'}') {
            return Err(r"a numbered reference must not be zero".to_owned());
        }
        let number = if back { (self.groups + 1).checked_sub(number) } else { Some(number) };
        match number {
            Some(number @ 1..) => self.backtracking(&format!(r"(?:\{number})")),
            _ => Err("a numbered reference must not be zero".to_owned()),
        }
    }

    /// `\1`: a back-reference; from `\10` only if there are so many groups, else octal.
    pub(super) fn reference(&mut self, first: u8) -> Outcome {
        let more = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count().min(2);
        let text: String = std::iter::once(&first)
            .chain(self.rest.get(..more).unwrap_or_default())
            .map(|byte| char::from(*byte))
            .collect();
        let number: usize = text.parse().unwrap_or_default();
        if number > 9 && number > self.groups {
            return if first < b'8' { self.octal(first) } else { self.literal(first) };
        }
        self.rest = self.rest.get(more..).unwrap_or_default();
        self.backtracking(&format!(r"(?:\{number})"))
    }
}
