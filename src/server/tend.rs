//! What functions need done while nobody asks: gates are judged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::aside::aside;
use crate::functions::FunctionStore;

/// How often gates are judged.
const PAUSE: Duration = Duration::from_millis(250);

/// Looks after the functions for as long as the process serves.
pub(super) async fn tend(store: Arc<FunctionStore>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if store.current().rolling().is_empty() {
            continue;
        }
        let store = store.clone();
        // What is decided goes to the disk first.
        aside(move || store.judge(Instant::now())).await;
    }
}
