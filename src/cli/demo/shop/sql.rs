//! A toy database that understands just enough SQL to be injected into: `SELECT`, `FROM`, `WHERE`
//! with `=`, `LIKE`, `AND`, `OR`, then `UNION SELECT`, and `--`.

/// The answer's rows, or the message that a careless application shows to everybody.
pub(super) fn query(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
    let mut rows = Vec::new();
    loop {
        parser.word("SELECT")?;
        rows.extend(parser.select()?);
        if parser.tokens.peek().is_none() {
            return Ok(rows);
        }
        parser.word("UNION")?;
    }
}

struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    rows: &'static [&'static [&'static str]],
}

const TABLES: &[Table] = &[
    Table {
        name: "items",
        columns: &["id", "name", "price", "hidden"],
        rows: &[
            &["1", "Paper lantern", "12", "0"],
            &["2", "Moon cake", "4", "0"],
            &["3", "Stone rabbit", "31", "0"],
            &["4", "Next year's catalogue", "0", "1"],
        ],
    },
    Table {
        name: "users",
        columns: &["id", "name", "password"],
        rows: &[&["1", "chang-e", "elixir"], &["2", "hou-yi", "ten-suns"]],
    },
];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Comma,
    Equals,
    Text(String),
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("--") {
            break;
        }
        let (token, length) = match first {
            ',' => (Token::Comma, 1),
            '=' => (Token::Equals, 1),
            '\'' => {
                let (inside, _) =
                    rest[1..].split_once('\'').ok_or(format!("unclosed quote near {rest}"))?;
                (Token::Text(inside.to_owned()), inside.len() + 2)
            }
            _ => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && !"_*%".contains(c));
                match end.unwrap_or(rest.len()) {
                    0 => return Err(format!("syntax error near {rest}")),
                    end => (Token::Word(rest[..end].to_owned()), end),
                }
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

/// `left = right` or `left LIKE right`.
struct Condition {
    left: Token,
    like: bool,
    right: Token,
}

impl Parser {
    /// All after the word `SELECT`, up to the end or `UNION`.
    fn select(&mut self) -> Result<Vec<Vec<String>>, String> {
        let mut columns = vec![self.next()?];
        while self.tokens.next_if_eq(&Token::Comma).is_some() {
            columns.push(self.next()?);
        }
        self.word("FROM")?;
        let name = self.next()?;
        let table = TABLES.iter().find(|table| is_word(&name, table.name));
        let table = table.ok_or(format!("no such table: {name:?}"))?;
        let any_of = if self.takes("WHERE") { self.conditions()? } else { vec![vec![]] };
        let chosen = table.rows.iter().filter(|row| {
            any_of.iter().any(|all_of| all_of.iter().all(|condition| condition.holds(table, row)))
        });
        Ok(chosen
            .map(|row| columns.iter().map(|column| value(column, table, row)).collect())
            .collect())
    }

    /// Of the lists one must hold whole: `AND` binds closer than `OR`.
    fn conditions(&mut self) -> Result<Vec<Vec<Condition>>, String> {
        let (mut any_of, mut all_of) = (Vec::new(), vec![self.condition()?]);
        loop {
            if self.takes("AND") {
                all_of.push(self.condition()?);
                continue;
            }
            any_of.push(std::mem::take(&mut all_of));
            if !self.takes("OR") {
                return Ok(any_of);
            }
            all_of.push(self.condition()?);
        }
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let left = self.next()?;
        let like = self.takes("LIKE");
        if !like && self.tokens.next_if_eq(&Token::Equals).is_none() {
            return Err(format!("`=` or `LIKE` expected after {left:?}"));
        }
        Ok(Condition { left, like, right: self.next()? })
    }

    fn next(&mut self) -> Result<Token, String> {
        self.tokens.next().ok_or("the statement ends too early".to_owned())
    }

    fn takes(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| is_word(token, word)).is_some()
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.takes(word) { Ok(()) } else { Err(format!("syntax error: `{word}` expected")) }
    }
}

impl Condition {
    fn holds(&self, table: &Table, row: &[&str]) -> bool {
        let (left, right) = (value(&self.left, table, row), value(&self.right, table, row));
        if self.like {
            left.to_lowercase().contains(&right.trim_matches('%').to_lowercase())
        } else {
            left == right
        }
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word))
}

/// A column's value in this row, or the literal itself.
fn value(token: &Token, table: &Table, row: &[&str]) -> String {
    let Token::Word(word) = token else { return literal(token) };
    let column = table.columns.iter().position(|column| column == word);
    column.and_then(|column| row.get(column)).map_or(word.clone(), |&value| value.to_owned())
}

fn literal(token: &Token) -> String {
    match token {
        Token::Text(text) | Token::Word(text) => text.clone(),
        Token::Comma | Token::Equals => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::query;

    fn search(words: &str) -> Result<usize, String> {
        let text =
            format!("SELECT name, price FROM items WHERE name LIKE '%{words}%' AND hidden = 0");
        query(&text).map(|rows| rows.len())
    }

    #[test]
    fn an_honest_search_finds_what_is_on_sale() {
        assert_eq!(search("moon"), Ok(1));
        assert_eq!(search(""), Ok(3));
        assert_eq!(search("catalogue"), Ok(0));
    }

    #[test]
    fn an_injection_finds_everything() {
        assert_eq!(search("' OR '1'='1' --"), Ok(4));
        assert_eq!(search("zz' UNION SELECT name, password FROM users --"), Ok(2));
    }

    #[test]
    fn a_lone_quote_shows_the_database_s_own_words() {
        assert!(search("'").is_err());
        assert!(query("DROP").is_err());
        assert!(query("SELECT a FROM nowhere").is_err());
    }
}
