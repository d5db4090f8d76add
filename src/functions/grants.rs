//! What owners may have their functions do: what is declared beyond that is refused when it is pushed
//! and when it is put in force, and not found when it runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Declaration, Fault, FunctionRoute, Name, Registry};
use crate::config::{OPERATOR, Owner, Owners, Secrets};
use crate::shared::Tables;

/// What owners may have, and what there is to be granted.
#[derive(Clone, Default)]
pub struct Grants {
    /// What the settings say of owners.
    pub owners: Arc<Owners>,
    /// The secrets.
    pub secrets: Arc<Secrets>,
    /// The names of shared dictionaries.
    pub dictionaries: BTreeSet<String>,
    /// Collections, which say themselves to whom they are granted.
    pub tables: Arc<Tables>,
}

impl Grants {
    /// Whether an owner's function may reach what it declares.
    ///
    /// # Errors
    /// What is not granted, and who can grant it.
    pub fn reaches(&self, owner: &Name, declared: &Declaration) -> Result<(), Fault> {
        let terms = self.owners.of(owner.as_str());
        let fault = self
            .secrets_fault(owner, declared)
            .or_else(|| self.dictionaries_fault(owner, terms, declared))
            .or_else(|| self.collections_fault(owner, terms, declared))
            .or_else(|| hosts_fault(owner, terms, declared));
        fault.map_or(Ok(()), |message| Err(Fault::unfit("function::grant", message)))
    }

    fn secrets_fault(&self, owner: &Name, declared: &Declaration) -> Option<String> {
        let granted = |name: &&String| self.secrets.is_granted(name, owner.as_str());
        let name = declared.secrets.iter().find(|name| !granted(name))?;
        Some(format!(
            "secret `{name}` is not granted to `{owner}`: the operator grants it in \
             `secrets.{name}.owners`"
        ))
    }

    fn dictionaries_fault(
        &self,
        owner: &Name,
        terms: &Owner,
        declared: &Declaration,
    ) -> Option<String> {
        let granted = |name: &&String| terms.may_use_dictionary(name);
        if let Some(name) = declared.dictionaries.iter().find(|name| !granted(name)) {
            return Some(format!(
                "dictionary `{name}` is not granted to `{owner}`: the operator grants it in \
                 `owners.{owner}.dictionaries`"
            ));
        }
        let there = |name: &&String| self.dictionaries.contains(*name);
        let name = declared.dictionaries.iter().find(|name| !there(name))?;
        Some(format!(
            "there is no dictionary `{name}`: the operator declares it in `lua.shared_dict`"
        ))
    }

    fn collections_fault(
        &self,
        owner: &Name,
        terms: &Owner,
        declared: &Declaration,
    ) -> Option<String> {
        let granted = |name: &&String| {
            let table = self.tables.get(name);
            let own = table.is_some_and(|table| table.grant(owner.as_str()).is_some());
            own && terms.may_use_collection(name)
        };
        let name = declared.collections.iter().find(|name| !granted(name))?;
        if terms.may_use_collection(name) {
            return Some(format!(
                "collection `{name}` is not there, or not granted to `{owner}`: its declaration \
                 (`PUT /collections/{name}`) names owners in `grants`"
            ));
        }
        Some(format!("collection `{name}` is not among `owners.{owner}.collections`"))
    }

    /// Whether an owner may serve a route, among what others serve and what is kept for them.
    ///
    /// # Errors
    /// Who has it.
    pub fn serves(
        &self,
        owner: &Name,
        route: &FunctionRoute,
        registry: &Registry,
    ) -> Result<(), Fault> {
        if owner.as_str() == OPERATOR {
            return Ok(());
        }
        let taken = |other: &&Arc<super::Function>| {
            let theirs = other.route().filter(|_| other.owner != *owner);
            theirs.is_some_and(|theirs| route.takes_from(theirs))
        };
        if let Some(other) = registry.unordered().find(taken)
            && let Some(theirs) = other.route()
        {
            return Err(Fault::clash(format!(
                "`{route}` would take requests from `{theirs}`, which `{}` of `{}` serves",
                other.name, other.owner
            )));
        }
        match &self.owners.of(owner.as_str()).routes {
            Some(own) if within(route, own) => Ok(()),
            Some(own) => Err(Fault::clash(format!(
                "`{route}` does not lie beneath what `{owner}` may serve: {}",
                if own.is_empty() { "nothing".to_owned() } else { own.join(", ") }
            ))),
            None => self.kept_for_others(owner, route),
        }
    }

    /// Paths that the settings give to owners are theirs before they serve anything there.
    fn kept_for_others(&self, owner: &Name, route: &FunctionRoute) -> Result<(), Fault> {
        for (other, terms) in self.owners.named().filter(|(other, _)| *other != owner.as_str()) {
            let areas = terms.routes.iter().flatten().filter_map(|text| area(text));
            if let Some(area) = areas.into_iter().find(|area| route.takes_from(area)) {
                return Err(Fault::clash(format!(
                    "`{route}` lies in `{area}`, which the settings give to `{other}`"
                )));
            }
        }
        Ok(())
    }
}

fn hosts_fault(owner: &Name, terms: &Owner, declared: &Declaration) -> Option<String> {
    let mut places = declared.hosts.iter().chain(&declared.shadow_hosts);
    let place = places.find(|place| !terms.may_reach(place))?;
    let granted = terms.hosts.as_deref().unwrap_or_default().join(", ");
    Some(format!(
        "`{owner}` may not connect to `{place}`: the operator grants places in \
         `owners.{owner}.hosts` ({})",
        if granted.is_empty() { "none so far" } else { &granted }
    ))
}

fn within(route: &FunctionRoute, areas: &[String]) -> bool {
    areas.iter().filter_map(|text| area(text)).any(|area| route.is_within(&area))
}

fn area(text: &str) -> Option<FunctionRoute> {
    FunctionRoute::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_refused_with_who_can_grant_it() {
        let grants = Grants::default();
        let (team, operator) = (Name::new("team-a").unwrap(), Name::new(OPERATOR).unwrap());
        let list = || vec!["x".to_owned()];
        for (declared, word) in [
            (Declaration { secrets: list(), ..Declaration::default() }, "secrets.x.owners"),
            (
                Declaration { dictionaries: list(), ..Declaration::default() },
                "owners.team-a.dictionaries",
            ),
            (Declaration { collections: list(), ..Declaration::default() }, "PUT /collections/x"),
        ] {
            let fault = grants.reaches(&team, &declared).unwrap_err();
            assert!(fault.message.contains(word), "{fault}");
            assert!(grants.reaches(&operator, &declared).is_err(), "it is not even there");
        }
        let hosts = vec!["api.example:443".to_owned()];
        let declared = Declaration { hosts, ..Declaration::default() };
        assert_eq!(grants.reaches(&team, &declared), Ok(()), "nothing is said of hosts");
    }
}
