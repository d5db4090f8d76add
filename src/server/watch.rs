//! Watching the files that a policy is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify::event::{Event, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::policy::Bundle;
use crate::telemetry::events;

/// How long the disk must be quiet before it is read: editors write, sync and rename.
const QUIET: Duration = Duration::from_millis(25);
/// How long it is waited for quiet, at the most.
const UNQUIET: Duration = Duration::from_millis(400);

/// Tells when a file of the bundle changed.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    tell: mpsc::Sender<()>,
    changes: mpsc::Receiver<()>,
    /// The folders, and whether those below them too, with their inodes: a folder that was made
    /// anew is another one.
    watched: BTreeMap<(PathBuf, bool), u64>,
    files: Arc<ArcSwap<BTreeSet<PathBuf>>>,
}

impl Watch {
    /// A watch over nothing yet; if `wanted` is false, for ever.
    pub(super) fn new(wanted: bool) -> Self {
        let (tell, changes) = mpsc::channel(1);
        let files: Arc<ArcSwap<BTreeSet<PathBuf>>> = Arc::default();
        let watcher = wanted.then(|| {
            let (tell, files) = (tell.clone(), files.clone());
            notify::recommended_watcher(move |event: notify::Result<Event>| {
                if event.is_ok_and(|event| matters(&event, &files.load())) {
                    // One unread change is enough: whoever reads it looks at everything.
                    let _ = tell.try_send(());
                }
            })
        });
        let watcher = watcher.and_then(|made| made.map_err(|error| trouble(&error)).ok());
        Self { watcher, tell, changes, watched: BTreeMap::new(), files }
    }

    /// Watches the folders of the bundle's files, and those below which libraries are looked for.
    pub(super) fn follow(&mut self, bundle: &Bundle) {
        let Some(watcher) = &mut self.watcher else { return };
        self.files.store(Arc::new(files_of(bundle)));
        let wanted = folders_of(bundle);
        for (place, inode) in &self.watched {
            if wanted.get(place) != Some(inode) {
                drop(watcher.unwatch(&place.0));
            }
        }
        let known = std::mem::replace(&mut self.watched, wanted);
        let new = self.watched.iter().filter(|(place, inode)| known.get(place) != Some(*inode));
        let mut is_more_watched = false;
        for ((path, tree), _) in new {
            let mode = if *tree { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            is_more_watched |= watcher.watch(path, mode).map_err(|error| trouble(&error)).is_ok();
        }
        // What changed after it was read and before it was watched, nobody else tells.
        if is_more_watched && bundle.is_stale() {
            let _ = self.tell.try_send(());
        }
    }

    /// Returns when something changed and the disk has been quiet since; never, if nothing is
    /// watched.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        let began = Instant::now();
        while began.elapsed() < UNQUIET {
            if tokio::time::timeout(QUIET, self.changes.recv()).await.is_err() {
                return;
            }
        }
    }
}

/// Whether an event may make another bundle. What is written to other files in the same folder,
/// such as a log, does not; which files there are may.
fn matters(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    let ours = |path: &PathBuf| files.contains(path) || path.extension().is_some_and(is_lua);
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            event.paths.iter().any(ours)
        }
        _ => true,
    }
}

fn is_lua(extension: &std::ffi::OsStr) -> bool {
    extension == "lua"
}

/// The bundle's files as events name them, and where links lead.
fn files_of(bundle: &Bundle) -> BTreeSet<PathBuf> {
    let absolute = bundle.on_disk().filter_map(|path| std::path::absolute(path).ok());
    let real = bundle.on_disk().filter_map(|path| path.canonicalize().ok());
    absolute.chain(real).collect()
}

/// The folders in which a change may make another bundle.
fn folders_of(bundle: &Bundle) -> BTreeMap<(PathBuf, bool), u64> {
    let mut folders = BTreeMap::new();
    let mut add = |path: PathBuf, tree| {
        if let Ok(known) = path.metadata().map(|folder| folder.ino()) {
            folders.insert((path, tree), known);
        }
    };
    for path in bundle.on_disk().chain(&bundle.folders) {
        for place in places(path) {
            add(place, false);
        }
    }
    for path in bundle.folders.iter().filter(|path| path.is_dir()) {
        add(path.clone(), true);
    }
    for (path, tree) in bundle.pattern_folders() {
        if path.is_dir() {
            add(path, tree);
        } else {
            for place in places(&path) {
                add(place, false);
            }
        }
    }
    folders
}

/// The folders in which a change may change what is read at this path: where its name stands, where
/// the names of links on the way to it stand, and where they lead. Of a folder that is not there,
/// the nearest above it that is.
fn places(path: &Path) -> Vec<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let links = path.ancestors().filter(|above| above.is_symlink());
    let real = path.canonicalize().ok();
    let names = std::iter::once(&*path).chain(links).chain(real.as_deref());
    names.filter_map(folder_of).map(Path::to_owned).collect()
}

fn folder_of(name: &Path) -> Option<&Path> {
    name.ancestors().skip(1).find(|above| above.is_dir())
}

fn trouble(error: &notify::Error) {
    events::Trouble {
        what: &format!("the policy's files cannot be watched: {error}"),
        next: "reload by SIGHUP or `POST /policy/reload`; raise fs.inotify.max_user_watches if it is too low",
    }
    .emit();
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange};

    #[test]
    fn what_is_written_to_another_file_does_not_matter() {
        let ours = BTreeSet::from([PathBuf::from("/etc/moongate.yaml")]);
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(matters(&event(written, "/etc/moongate.yaml"), &ours));
        assert!(matters(&event(written, "/etc/lib/new.lua"), &ours));
        assert!(!matters(&event(written, "/etc/access.log"), &ours));
        assert!(matters(&event(EventKind::Create(CreateKind::Any), "/etc/x"), &ours));
    }

    #[test]
    fn of_a_file_that_is_not_there_the_nearest_folder_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(places(&root.join("a/b/c.lua")), std::slice::from_ref(&root));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(places(&root.join("a/b/c.lua")), [root.join("a/b")]);
    }

    #[test]
    fn of_a_link_its_own_folder_and_where_it_leads_are_watched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("v1/lua")).unwrap();
        std::fs::write(root.join("v1/lua/a.lua"), "").unwrap();
        std::os::unix::fs::symlink("v1", root.join("now")).unwrap();
        let places = places(&root.join("now/lua/a.lua"));
        assert_eq!(places, [root.join("now/lua"), root.clone(), root.join("v1/lua")]);
    }
}
