//! A bound on nested brackets, before the YAML parser sees them: its time grows with their square.

/// Open brackets at once; settings need about five.
const DEEPEST: usize = 300;

/// Where the bracket that is one too many stands. Brackets inside quotes, scripts and comments
/// count only where they are never closed, since each closing bracket takes one off.
pub fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open >= DEEPEST {
            return Some(offset);
        }
    }
    None
}
