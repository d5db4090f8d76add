//! nginx's words: quotes, escapes, comments, what ends a directive.

use super::Emerg;
use super::lua_block;

/// One configuration file as it is read.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The line of what is read next, from 1.
    pub(super) line: usize,
    file: &'a str,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Words and a `;`.
    Directive(Vec<String>),
    /// Words and a `{`.
    Block(Vec<String>),
    /// Words, and the Lua between `{` and its `}`; the line of the `{`.
    Lua(Vec<String>, String, usize),
    /// `}`.
    Close,
    /// The file's end.
    End,
}

impl<'a> Reader<'a> {
    /// A file from its beginning; `file` as messages name it.
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        Self { text, at: 0, line: 1, file }
    }

    /// A fault at the place reached.
    pub(super) fn fault(&self, message: impl Into<String>) -> Emerg {
        Emerg { message: message.into(), file: self.file.to_owned(), line: self.line }
    }

    /// The words up to the next `;`, `{` or `}`.
    pub(super) fn next(&mut self) -> Result<Read, Emerg> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None if words.is_empty() => return Ok(Read::End),
                None => {
                    let what = "unexpected end of file, expecting \";\" or \"}\"";
                    return Err(self.fault(what));
                }
                Some(';') if words.is_empty() => return Err(self.fault("unexpected \";\"")),
                Some('{') if words.is_empty() => return Err(self.fault("unexpected \"{\"")),
                Some('}') if !words.is_empty() => return Err(self.fault("unexpected \"}\"")),
                Some(';') => {
                    self.bump();
                    return Ok(Read::Directive(words));
                }
                Some('{') => {
                    self.bump();
                    return self.block(words);
                }
                Some('}') => {
                    self.bump();
                    return Ok(Read::Close);
                }
                Some(_) => words.push(self.word()?),
            }
        }
    }

    fn block(&mut self, words: Vec<String>) -> Result<Read, Emerg> {
        if !words.first().is_some_and(|name| name.ends_with("_by_lua_block")) {
            return Ok(Read::Block(words));
        }
        let line = self.line;
        let rest = self.text.get(self.at..).unwrap_or_default();
        match lua_block::end(rest) {
            Ok(end) => {
                let code = rest.get(..end).unwrap_or_default().to_owned();
                self.line += code.matches('\n').count();
                self.at += end + 1;
                Ok(Read::Lua(words, code, line))
            }
            Err(fault) => {
                self.line += fault.lines;
                Err(self.fault(fault.message))
            }
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(next) = self.peek() {
            match next {
                '#' => {
                    while self.peek().is_some_and(|next| next != '\n') {
                        self.bump();
                    }
                }
                ' ' | '\t' | '\r' | '\n' => {
                    self.bump();
                }
                _ => return,
            }
        }
    }

    fn word(&mut self) -> Result<String, Emerg> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => Ok(self.plain()),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Emerg> {
        let start = self.line;
        self.bump();
        let mut word = String::new();
        loop {
            match self.bump() {
                None => {
                    let what = "unexpected end of file, expecting \";\" or \"}\"";
                    let _ = start;
                    return Err(self.fault(what));
                }
                Some('\\') => self.escape(&mut word),
                Some(next) if next == quote => break,
                Some(next) => word.push(next),
            }
        }
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(word),
            Some(next) => Err(self.fault(format!("unexpected \"{next}\""))),
        }
    }

    fn plain(&mut self) -> String {
        let mut word = String::new();
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                '{' if !word.ends_with('$') => break,
                '\\' => {
                    self.bump();
                    self.escape(&mut word);
                }
                other => {
                    self.bump();
                    word.push(other);
                }
            }
        }
        word
    }

    /// What stands behind a backslash.
    fn escape(&mut self, word: &mut String) {
        match self.bump() {
            Some(plain @ ('"' | '\'' | '\\')) => word.push(plain),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(other) => word.extend(['\\', other]),
            None => word.push('\\'),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        self.line += usize::from(next == '\n');
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Read> {
        let mut reader = Reader::new(text, "nginx.conf");
        let mut found = Vec::new();
        loop {
            match reader.next().unwrap() {
                Read::End => return found,
                read => found.push(read),
            }
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn quotes_and_escapes_are_undone_as_nginx_does() {
        let cases = [
            (r#"a "b c" 'd;e';"#, words(&["a", "b c", "d;e"])),
            (r#"a "q\"q" 'n\nt\t' b\.c;"#, words(&["a", "q\"q", "n\nt\t", r"b\.c"])),
            (
                r"rewrite ^/(.*)\.php$ /$1 last;",
                words(&["rewrite", r"^/(.*)\.php$", "/$1", "last"]),
            ),
            ("return 200 ${a}b;", words(&["return", "200", "${a}b"])),
            ("a # not this;\n b;", words(&["a", "b"])),
            ("a b#c;", words(&["a", "b#c"])),
        ];
        for (text, wanted) in cases {
            assert_eq!(all(text), [Read::Directive(wanted)], "{text}");
        }
    }

    #[test]
    fn lua_between_braces_is_taken_as_it_stands() {
        let text = "content_by_lua_block {\n local a = \"}\" -- }\n if a then b{} end }\nc;";
        let found = all(text);
        let Some(Read::Lua(name, code, line)) = found.first() else { panic!("{found:?}") };
        assert_eq!((name, *line), (&words(&["content_by_lua_block"]), 1));
        assert_eq!(code, "\n local a = \"}\" -- }\n if a then b{} end ");
    }

    #[test]
    fn faults_are_told_in_nginxs_words_with_their_line() {
        for (text, message, line) in [
            ("a;\n;", "unexpected \";\"", 2),
            ("a\nb", "unexpected end of file, expecting \";\" or \"}\"", 2),
            ("a \"b\"c;", "unexpected \"c\"", 1),
            (
                "x_by_lua_block {\n [[a\n }",
                "Lua code block missing the closing long bracket \"]]\", the inlined Lua code may be \
                 too long",
                1,
            ),
        ] {
            let mut reader = Reader::new(text, "nginx.conf");
            let fault = loop {
                match reader.next() {
                    Ok(read) => assert_ne!(read, Read::End, "{text}"),
                    Err(fault) => break fault,
                }
            };
            assert_eq!((fault.message.as_str(), fault.line), (message, line), "{text}");
        }
    }
}
