//! The shop's database: SQLite, in memory. It runs whatever it is told, which is the point.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

const TABLES: &str = "
    CREATE TABLE items (id INTEGER, name TEXT, price INTEGER, hidden INTEGER);
    INSERT INTO items VALUES
        (1, 'Paper lantern', 12, 0),
        (2, 'Moon cake', 4, 0),
        (3, 'Stone rabbit', 31, 0),
        (4, 'Next year''s catalogue', 0, 1);
    CREATE TABLE users (id INTEGER, name TEXT, password TEXT);
    INSERT INTO users VALUES (1, 'chang-e', 'elixir'), (2, 'hou-yi', 'ten-suns');";

/// How many steps of SQLite's machine a query may take: a guess by the clock costs one request, not
/// the demo.
const STEPS: std::ffi::c_int = 1_000;
const TIMES: u32 = 20_000;

/// The answer's rows, or the message that a careless application shows to everybody.
///
/// Each query finds the tables as they were: nobody who tries the demo spoils it for the next.
pub(super) fn query(text: &str) -> Result<Vec<Vec<String>>, String> {
    rows(text).map_err(|error| error.to_string())
}

fn rows(text: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let mut database = Connection::open_in_memory()?;
    database.execute_batch(TABLES)?;
    let mut left = TIMES;
    let is_over = move || {
        left = left.saturating_sub(1);
        left == 0
    };
    database.progress_handler(STEPS, Some(is_over))?;
    let mut statement = database.prepare(text)?;
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns).map(|column| row.get_ref(column).map(shown)).collect()
    };
    statement.query_map([], row)?.collect()
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
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
        assert!(query("SELECT a FROM nowhere").unwrap_err().contains("no such table: nowhere"));
    }

    #[test]
    fn a_query_that_would_not_end_is_ended() {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        assert!(query(endless).is_err());
    }
}
