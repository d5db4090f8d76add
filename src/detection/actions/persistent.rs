//! Persistent collections: `initcol`, `setsid` and its like, `setvar`, `expirevar`, `deprecatevar`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::detection::evaluate::{Run, State, expand, number, number_of};
use crate::detection::plan::{Change, Collection, Rule, Text};
use crate::shared::{CollectionId, CollectionKind};

/// Opens the collection of a key; from now on it is the one of its kind.
pub fn open(run: &mut Run<'_>, rule: &Rule, collection: Collection, key: &Text) {
    let Some(kind) = kind(collection) else { return };
    let key = expand(run, rule, key);
    let settings = &run.plan.settings;
    let key = scoped(kind, &settings.web_app_id, &key).into();
    let timeout = Duration::from_secs(settings.collection_timeout);
    let opened = &mut run.state.opened;
    opened.retain(|known| known.kind != kind);
    opened.push(CollectionId { kind, key, timeout });
}

/// The same, and `SESSIONID` or `USERID` says the key from now on.
pub fn identify(run: &mut Run<'_>, rule: &Rule, collection: Collection, key: &Text) {
    let said = expand(run, rule, key).into_owned();
    match collection {
        Collection::Session => run.state.session_id = Some(said),
        Collection::User => run.state.user_id = Some(said),
        _ => {}
    }
    open(run, rule, collection, key);
}

/// Changes a member. Nothing happens if no collection of the kind is open, or it takes no more.
pub fn set(run: &mut Run<'_>, rule: &Rule, of: Collection, name: &[u8], change: &Change) {
    let Some(id) = opened(run.state, of) else { return };
    let now = run.view.now;
    let collections = &run.world.collections;
    // What does not fit is not kept: a client could fill memory otherwise.
    let _refused = match change {
        Change::Add(by) => {
            let by = number_of(run, rule, by);
            collections.add(&id, name, by, now).err()
        }
        Change::Subtract(by) => {
            let by = number_of(run, rule, by);
            collections.add(&id, name, by.saturating_neg(), now).err()
        }
        Change::Set(text) => {
            let text = expand(run, rule, text);
            collections.set(&id, name, &text, now).err()
        }
        Change::Unset => {
            collections.unset(&id, name, now);
            None
        }
    };
}

/// Lets a member expire.
pub fn expire(run: &mut Run<'_>, rule: &Rule, of: Collection, name: &Text, after: &Text) {
    let Some(id) = opened(run.state, of) else { return };
    let name = expand(run, rule, name);
    let after = Duration::from_secs(number_of(run, rule, after).max(0) as u64);
    run.world.collections.expire(&id, &name, after, run.view.now);
}

/// Lets a member shrink by so much for each whole period since the collection was last written.
pub fn deprecate(run: &mut Run<'_>, rule: &Rule, of: Collection, name: &Text, shrink: (u32, u32)) {
    let Some(id) = opened(run.state, of) else { return };
    let name = expand(run, rule, name);
    let (amount, period) = shrink;
    let (collections, now) = (&run.world.collections, run.view.now);
    let read = |name: &[u8]| collections.read(&id, name, now).map(|value| number(&value));
    let (Some(value), Some(written)) = (read(&name), read(b"last_update_time")) else { return };
    let passed = seconds(now).saturating_sub(written).max(0);
    let periods = passed / i64::from(period.max(1));
    let less = periods.saturating_mul(i64::from(amount)).min(value.max(0));
    if less > 0 {
        let _refused = collections.add(&id, &name, -less, now);
    }
}

/// The open collection of a kind.
fn opened(state: &State, collection: Collection) -> Option<CollectionId> {
    let kind = kind(collection)?;
    state.opened.iter().find(|known| known.kind == kind).cloned()
}

fn kind(collection: Collection) -> Option<CollectionKind> {
    match collection {
        Collection::Global => Some(CollectionKind::Global),
        Collection::Ip => Some(CollectionKind::Ip),
        Collection::Resource => Some(CollectionKind::Resource),
        Collection::Session => Some(CollectionKind::Session),
        Collection::Tx => None,
        Collection::User => Some(CollectionKind::User),
    }
}

/// `SecWebAppId` keeps sessions and users of different applications apart.
fn scoped(kind: CollectionKind, application: &str, key: &[u8]) -> Vec<u8> {
    let apart = matches!(kind, CollectionKind::Session | CollectionKind::User);
    if apart && application != "default" {
        return [application.as_bytes(), b"/", key].concat();
    }
    key.to_vec()
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs() as i64)
}
