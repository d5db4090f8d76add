//! The nine phases over the wire: what operators do in each, with the scripts of `lua/examples` and
//! with blocks in the settings.

mod access;
mod before;
mod content;
mod edges;
mod failing;
mod log;
mod order;
mod response;
mod rewrite;

/// A file of `lua/`, as it is shipped.
fn shipped(path: &str) -> String {
    let path = format!("{}/lua/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The same script as a block of the settings, `depth` spaces deep.
fn block(path: &str, depth: usize) -> String {
    let indent = " ".repeat(depth);
    let lines = shipped(path);
    let lines = lines.lines().map(|line| format!("\n{indent}{line}"));
    format!("|{}\n", lines.collect::<String>())
}
