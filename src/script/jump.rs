//! `goto`, which LuaJIT has and Luau has not: where it means what a loop's own words say, they are
//! written in its place. `goto continue` at the end of a loop's body is `continue`, a label right behind
//! a loop is reached by `break`, one at the end of a function by `return`.

use std::borrow::Cow;
use std::ops::Range;

/// What a text is made of, as far as jumps need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// `::`.
    Colons,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A function, or the whole text.
    Function,
    /// `for` or `while`, whose `do` is still to come, or `repeat`.
    Loop {
        wants_do: bool,
    },
    Plain,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    id: usize,
    kind: Kind,
}

struct Label<'a> {
    name: &'a str,
    block: usize,
    /// The loop that ended just before it.
    behind: Option<usize>,
    /// Whether nothing follows it in its block.
    is_last: bool,
    range: Range<usize>,
}

struct Jump<'a> {
    name: &'a str,
    /// From the whole text to the innermost block.
    blocks: Vec<Block>,
    range: Range<usize>,
}

/// The text without `goto`, as many lines long; as it is where it has none, or one that cannot be said
/// in another way.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if !text.contains("goto") {
        return Cow::Borrowed(text);
    }
    let (jumps, labels) = Walk::of(text);
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    for jump in &jumps {
        let Some(words) = labels.iter().find_map(|label| instead(jump, label)) else {
            return Cow::Borrowed(text);
        };
        edits.push((jump.range.clone(), words));
    }
    edits.extend(labels.into_iter().map(|label| (label.range, "")));
    edits.sort_by_key(|(range, _)| range.start);
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for (range, words) in edits {
        out.push_str(text.get(copied..range.start).unwrap_or_default());
        out.push_str(words);
        copied = range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// What to write for a jump to this label.
fn instead(jump: &Jump<'_>, label: &Label<'_>) -> Option<&'static str> {
    if jump.name != label.name || !jump.blocks.iter().any(|block| block.id == label.block) {
        return None;
    }
    let within = jump.blocks.iter().rposition(|block| block.kind == Kind::Function)?;
    let own = jump.blocks.get(within..)?;
    let innermost = own.iter().rfind(|block| matches!(block.kind, Kind::Loop { .. }));
    if let Some(innermost) = innermost {
        if label.is_last && label.block == innermost.id {
            return Some("continue");
        }
        if label.behind == Some(innermost.id) {
            return Some("break");
        }
    }
    let at_end = label.is_last && own.first().is_some_and(|block| block.id == label.block);
    at_end.then_some("do return end")
}

/// A walk over a text's blocks.
struct Walk<'a> {
    blocks: Vec<Block>,
    made: usize,
    jumps: Vec<Jump<'a>>,
    labels: Vec<Label<'a>>,
    /// The loop that ended with the last token.
    ended: Option<usize>,
    /// Labels after which nothing came yet.
    fresh: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn of(text: &'a str) -> (Vec<Jump<'a>>, Vec<Label<'a>>) {
        let tokens = tokens(text);
        let mut walk = Self {
            blocks: vec![Block { id: 0, kind: Kind::Function }],
            made: 1,
            jumps: Vec::new(),
            labels: Vec::new(),
            ended: None,
            fresh: Vec::new(),
        };
        let mut rest = tokens.as_slice();
        while let Some(taken) = walk.step(rest) {
            rest = rest.get(taken..).unwrap_or_default();
        }
        walk.end_of_block();
        (walk.jumps, walk.labels)
    }

    /// Takes the next statement's beginning; how many tokens it was.
    fn step(&mut self, rest: &[(Token<'a>, Range<usize>)]) -> Option<usize> {
        let (first, range) = rest.first()?;
        match rest {
            [(Token::Colons, from), (Token::Word(name), _), (Token::Colons, to), ..] => {
                let block = self.blocks.last().map_or(0, |block| block.id);
                let range = from.start..to.end;
                self.fresh.push(self.labels.len());
                let behind = self.ended;
                self.labels.push(Label { name, block, behind, is_last: false, range });
                return Some(3);
            }
            [(Token::Word("goto"), from), (Token::Word(name), to), ..] => {
                let blocks = self.blocks.clone();
                self.jumps.push(Jump { name, blocks, range: from.start..to.end });
                self.goes_on();
                return Some(2);
            }
            _ => {}
        }
        if let Token::Word(word) = first {
            self.word(word);
        } else if !range.is_empty() {
            self.goes_on();
        }
        Some(1)
    }

    fn word(&mut self, word: &str) {
        match word {
            "function" => self.open(Kind::Function),
            "if" => self.open(Kind::Plain),
            "for" | "while" => self.open(Kind::Loop { wants_do: true }),
            "repeat" => self.open(Kind::Loop { wants_do: false }),
            "do" => match self.blocks.last_mut().map(|block| &mut block.kind) {
                Some(Kind::Loop { wants_do }) if *wants_do => *wants_do = false,
                _ => self.open(Kind::Plain),
            },
            "end" | "until" => self.close(),
            "else" | "elseif" => self.end_of_block(),
            _ => self.goes_on(),
        }
    }

    fn open(&mut self, kind: Kind) {
        self.goes_on();
        self.blocks.push(Block { id: self.made, kind });
        self.made += 1;
    }

    fn close(&mut self) {
        self.end_of_block();
        // The whole text is never closed: what is wrong with it, the compiler tells.
        let closed = if self.blocks.len() > 1 { self.blocks.pop() } else { None };
        self.ended =
            closed.filter(|block| matches!(block.kind, Kind::Loop { .. })).map(|block| block.id);
    }

    /// A block ends: its last labels have nothing behind them.
    fn end_of_block(&mut self) {
        for place in std::mem::take(&mut self.fresh) {
            if let Some(label) = self.labels.get_mut(place) {
                label.is_last = true;
            }
        }
        self.ended = None;
    }

    fn goes_on(&mut self) {
        self.fresh.clear();
        self.ended = None;
    }
}

/// Words and double colons outside of strings and comments; `;` is nothing.
fn tokens(text: &str) -> Vec<(Token<'_>, Range<usize>)> {
    let bytes = text.as_bytes();
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let (token, length) = match byte {
            b'-' if rest.starts_with(b"--") => (None, super::dialect::comment(rest)),
            b'[' => (Some(Token::Other), super::dialect::bracket(rest).unwrap_or(1)),
            b'"' | b'\'' => {
                let length = super::dialect::string(rest).unwrap_or_else(|length| length + 2);
                (Some(Token::Other), length)
            }
            b':' if rest.starts_with(b"::") => (Some(Token::Colons), 2),
            byte if of_word(byte) => {
                let length = rest.iter().take_while(|byte| of_word(byte)).count();
                (text.get(at..at + length).map(Token::Word), length)
            }
            b';' => (None, 1),
            byte if byte.is_ascii_whitespace() => (None, 1),
            _ => (Some(Token::Other), 1),
        };
        let end = (at + length.max(1)).min(bytes.len());
        tokens.extend(token.map(|token| (token, at..end)));
        at = end;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn jumps_are_said_in_a_loops_own_words() {
        for (text, wanted) in [
            (
                "for i = 1, 3 do if i == 2 then goto next end f(i) ::next:: end",
                "for i = 1, 3 do if i == 2 then continue end f(i)  end",
            ),
            (
                "while a do\n  goto on\n  b()\n  ::on:: -- here\nend\n",
                "while a do\n  continue\n  b()\n   -- here\nend\n",
            ),
            ("repeat goto c ::c:: until x", "repeat continue  until x"),
            ("while a do goto out end ::out:: b()", "while a do break end  b()"),
            (
                "local function f() if a then goto done end b() ::done:: end",
                "local function f() if a then do return end end b()  end",
            ),
            (
                "for _ in x do for _ in y do goto inner ::inner:: end goto outer ::outer:: end",
                "for _ in x do for _ in y do continue  end continue  end",
            ),
        ] {
            assert_eq!(without(text), wanted);
        }
    }

    #[test]
    fn what_cannot_be_said_otherwise_stays() {
        for text in [
            "::top:: f() goto top",
            "for _ in x do for _ in y do for _ in z do goto out end end ::out:: f() end",
            "local s = 'goto x' -- goto y",
            "for i = 1, 2 do f(function() goto next end) ::next:: end",
            "end end goto",
        ] {
            assert_eq!(without(text), text);
        }
    }
}
