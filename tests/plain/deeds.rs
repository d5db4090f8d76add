//! What a matching link does besides.

use std::time::{Duration, UNIX_EPOCH};

use moongate::detection::operators::number;
use moongate::detection::{Change, Collection, Control, Deed, Name, Text};
use moongate::shared::{CollectionId, CollectionKind};

use super::evaluator::Run;

/// Variables of `ENV`.
const MOST_VARIABLES: usize = 200;

impl Run<'_> {
    /// `setvar` and its like act for each matching value, `ctl` once for the link.
    pub fn deed(&mut self, deed: &Deed, again: bool) {
        match deed {
            Deed::Control(control) if !again => self.control(control),
            Deed::Control(_) | Deed::Run(_) => {}
            Deed::Deprecate { collection, name, amount, period } => {
                self.deprecate(*collection, name, i64::from(*amount), i64::from(*period));
            }
            Deed::Expire { collection, name, after } => {
                let Some(id) = self.opened(*collection) else { return };
                let after = Duration::from_secs(self.number(after).max(0).unsigned_abs());
                let (collections, now) = (&self.world.collections, self.world.now);
                collections.expire(&id, &self.expand(name), after, now);
            }
            Deed::Identify { collection, key } => {
                let said = Some(self.expand(key));
                match collection {
                    Collection::Session => self.state.session_id = said,
                    Collection::User => self.state.user_id = said,
                    _ => {}
                }
                self.open(*collection, key);
            }
            Deed::Open { collection, key } => self.open(*collection, key),
            Deed::Sanitise(target) => {
                if !self.state.hidden.contains(target) {
                    self.state.hidden.push(target.clone());
                }
            }
            Deed::Set { collection: Collection::Tx, name, change } => self.set_tx(name, change),
            Deed::Set { collection, name, change } => self.set_kept(*collection, name, change),
            Deed::SetEnv { name, value } => self.set_environment(name, value.as_ref()),
        }
    }

    fn number(&self, text: &Text) -> i64 {
        number(&self.expand(text))
    }

    fn set_tx(&mut self, name: &Name, change: &Change) {
        let name = match name {
            Name::Slot(slot) => self.plan.tx_names[slot.0 as usize].to_vec(),
            Name::Text(text) => self.expand(text).to_ascii_lowercase(),
        };
        let before = self.state.tx.values.get(&name).map_or(0, |value| number(value));
        let after = match change {
            Change::Add(by) => before.saturating_add(self.number(by)).to_string().into_bytes(),
            Change::Set(text) => self.expand(text),
            Change::Subtract(by) => {
                let by = self.number(by).saturating_neg();
                before.saturating_add(by).to_string().into_bytes()
            }
            Change::Unset => return self.state.tx.unset(&name),
        };
        self.state.tx.set(&name, after);
    }

    fn set_kept(&mut self, collection: Collection, name: &Name, change: &Change) {
        let Name::Text(name) = name else { unreachable!("slots are of `TX`") };
        let Some(id) = self.opened(collection) else { return };
        let (name, now) = (self.expand(name), self.world.now);
        let kept = &self.world.collections;
        // What does not fit is not kept.
        let _ = match change {
            Change::Add(by) => kept.add(&id, &name, self.number(by), now).err(),
            Change::Set(text) => kept.set(&id, &name, &self.expand(text), now).err(),
            Change::Subtract(by) => {
                kept.add(&id, &name, self.number(by).saturating_neg(), now).err()
            }
            Change::Unset => {
                kept.unset(&id, &name, now);
                None
            }
        };
    }

    fn deprecate(&mut self, collection: Collection, name: &Text, amount: i64, period: i64) {
        let Some(id) = self.opened(collection) else { return };
        let (name, now, kept) = (self.expand(name), self.world.now, &self.world.collections);
        let read = |name: &[u8]| kept.read(&id, name, now).map(|value| number(&value));
        let (Some(value), Some(written)) = (read(&name), read(b"last_update_time")) else { return };
        let seconds = now.duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let periods = (seconds - written).max(0) / period.max(1);
        let less = periods.saturating_mul(amount).min(value.max(0));
        if less > 0 {
            let _ = kept.add(&id, &name, -less, now);
        }
    }

    fn open(&mut self, collection: Collection, key: &Text) {
        let Some(kind) = kind(collection) else { return };
        let application = &self.plan.settings.web_app_id;
        let mut key = self.expand(key);
        let apart = matches!(kind, CollectionKind::Session | CollectionKind::User);
        if apart && application != "default" {
            key = [application.as_bytes(), b"/", &key].concat();
        }
        let timeout = Duration::from_secs(self.plan.settings.collection_timeout);
        self.state.opened.retain(|known| known.kind != kind);
        self.state.opened.push(CollectionId { kind, key: key.into(), timeout });
    }

    fn opened(&self, collection: Collection) -> Option<CollectionId> {
        let kind = kind(collection)?;
        self.state.opened.iter().find(|known| known.kind == kind).cloned()
    }

    fn set_environment(&mut self, name: &Text, value: Option<&Text>) {
        let (name, value) = (self.expand(name), value.map(|value| self.expand(value)));
        let environment = &mut self.state.environment;
        environment.retain(|(known, _)| *known != name);
        if let Some(value) = value.filter(|_| environment.len() < MOST_VARIABLES) {
            environment.push((name, value));
        }
    }

    fn control(&mut self, control: &Control) {
        let state = &mut self.state;
        match control {
            Control::AuditEngine(engine) => state.audit = Some(*engine),
            Control::AuditLogParts(parts) => {
                if !state.audit_parts.contains(parts) {
                    state.audit_parts.push(parts.clone());
                }
            }
            Control::ForceRequestBody(force) => state.force_body = *force,
            Control::RequestBodyAccess(access) => state.request_body = Some(*access),
            Control::RequestBodyLimit(limit) => state.request_limit = Some(*limit),
            Control::RequestBodyProcessor(format) => state.processor = Some(*format),
            Control::ResponseBodyAccess(access) => state.response_body = Some(*access),
            Control::ResponseBodyLimit(limit) => state.response_limit = Some(*limit),
            Control::RuleEngine(engine) => state.engine = Some(*engine),
            Control::Remove(rules) => state.removed.extend(rules.iter().copied()),
            Control::RemoveTarget(rules, target) => {
                state.removed_targets.push((rules.clone(), target.clone()));
            }
        }
    }
}

pub fn kind(collection: Collection) -> Option<CollectionKind> {
    match collection {
        Collection::Global => Some(CollectionKind::Global),
        Collection::Ip => Some(CollectionKind::Ip),
        Collection::Resource => Some(CollectionKind::Resource),
        Collection::Session => Some(CollectionKind::Session),
        Collection::Tx => None,
        Collection::User => Some(CollectionKind::User),
    }
}
