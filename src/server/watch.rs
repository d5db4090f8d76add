//! Watching the files that a policy is made of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::policy::Bundle;
use crate::telemetry::events;

/// How long the disk must be quiet before it is read: editors write, sync and rename.
const QUIET: Duration = Duration::from_millis(40);

/// Tells when a file of the bundle changed.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    watched: BTreeSet<(PathBuf, bool)>,
}

impl Watch {
    /// A watch over nothing yet; if `wanted` is false, for ever.
    pub(super) fn new(wanted: bool) -> Self {
        let (tell, changes) = mpsc::channel(1);
        let watcher = wanted.then(|| {
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                let matters = event.is_ok_and(|event| !event.kind.is_access());
                if matters {
                    // One unread change is enough: whoever reads it looks at everything.
                    let _ = tell.try_send(());
                }
            })
        });
        let watcher = watcher.and_then(|made| made.map_err(|error| trouble(&error)).ok());
        Self { watcher, changes, watched: BTreeSet::new() }
    }

    /// Watches the folders of the bundle's files, and those below which libraries are looked for.
    pub(super) fn follow(&mut self, bundle: &Bundle) {
        let Some(watcher) = &mut self.watcher else { return };
        let folders = bundle.files.keys().map(|path| (parent(path), false));
        let trees = bundle.folders.iter().map(|path| (path.clone(), true));
        let wanted: BTreeSet<_> = folders.chain(trees).filter(|(path, _)| path.is_dir()).collect();
        for (path, _) in self.watched.difference(&wanted) {
            drop(watcher.unwatch(path));
        }
        for (path, tree) in wanted.difference(&self.watched) {
            let mode = if *tree { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if let Err(error) = watcher.watch(path, mode) {
                trouble(&error);
            }
        }
        self.watched = wanted;
    }

    /// Returns when something changed and the disk has been quiet since; never, if nothing is
    /// watched.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn trouble(error: &notify::Error) {
    events::Trouble {
        what: &format!("the policy's files cannot be watched: {error}"),
        next: "reload by SIGHUP or `POST /policy/reload`; raise fs.inotify.max_user_watches if it is too low",
    }
    .emit();
}
