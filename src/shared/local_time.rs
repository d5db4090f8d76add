//! The difference between local time and UTC.

use std::sync::OnceLock;

use time::UtcOffset;

/// The difference between local time and UTC, as it was when first asked for; UTC where the system
/// does not tell. It can be told only as long as the process has one thread: `main` asks first.
pub fn local_offset() -> UtcOffset {
    static OFFSET: OnceLock<UtcOffset> = OnceLock::new();
    *OFFSET.get_or_init(|| UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC))
}
