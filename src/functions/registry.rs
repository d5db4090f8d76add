//! All functions at one moment; a change makes another, which shares with it what did not change.

use std::sync::Arc;
use std::time::SystemTime;

use super::sharded::Sharded;
use super::version::Version;
use super::{Function, FunctionRoute, Name, RouteIndex};

/// All functions at one moment.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    functions: Sharded<Arc<Function>>,
    routes: RouteIndex,
    /// Those of which a version is tried.
    rolling: Vec<Arc<Function>>,
}

impl Registry {
    /// Of these functions. Of two that serve the same the last by name counts.
    pub fn new(functions: impl IntoIterator<Item = Function>) -> Self {
        let mut functions: Vec<Function> = functions.into_iter().collect();
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        let mut registry = Self::default();
        for function in functions {
            registry.put(function);
        }
        registry
    }

    /// Whether no function serves.
    pub fn serves_nothing(&self) -> bool {
        self.routes.is_empty()
    }

    /// By name.
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// The function that has this route.
    pub fn at(&self, route: &FunctionRoute) -> Option<&Name> {
        self.routes.at(route)
    }

    /// All, in no order.
    pub(super) fn unordered(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        let mut all: Vec<&Arc<Function>> = self.functions.values().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }

    /// Those whose time is over at a moment.
    pub fn expired(&self, now: SystemTime) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values().filter(move |one| one.expires.is_some_and(|end| end <= now))
    }

    /// Those of which a version is tried.
    pub fn rolling(&self) -> &[Arc<Function>] {
        &self.rolling
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The function that serves a path of a host, and the version that does.
    pub fn find(
        &self,
        host: Option<&str>,
        path: &str,
        now: SystemTime,
    ) -> Option<(&Arc<Function>, &Arc<Version>)> {
        let function = self.functions.get(self.routes.find(host, path)?.as_str())?;
        Some((function, function.serving(now)?))
    }

    /// With one function changed, or taken out.
    pub(super) fn with(&self, name: &Name, function: Option<Function>) -> Self {
        let mut next = self.clone();
        if let Some(before) = self.functions.get(name.as_str()) {
            next.routes.remove(before.route(), name);
            next.functions.remove(name.as_str());
            next.rolling.retain(|one| one.name != *name);
        }
        if let Some(function) = function {
            next.put(function);
        }
        next
    }

    fn put(&mut self, function: Function) {
        self.routes.insert(function.route(), &function.name);
        let function = Arc::new(function);
        if function.candidate.is_some() {
            self.rolling.push(function.clone());
        }
        self.functions.insert(function.name.shared(), function);
    }
}
