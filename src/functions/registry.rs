//! All functions at one moment; a change makes another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::version::Version;
use super::{Function, FunctionRoute, Name, RouteIndex};

/// All functions at one moment.
#[derive(Debug, Default)]
pub struct Registry {
    functions: BTreeMap<Name, Arc<Function>>,
    routes: RouteIndex,
    /// Those of which a version is tried.
    rolling: Vec<Arc<Function>>,
}

impl Registry {
    /// Of these functions.
    pub fn new(functions: BTreeMap<Name, Arc<Function>>) -> Self {
        let served = functions.values().filter_map(|one| Some((one.route()?, &one.name)));
        let routes = RouteIndex::new(served);
        let rolling = functions.values().filter(|one| one.candidate.is_some()).cloned().collect();
        Self { functions, routes, rolling }
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

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
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
        let function = self.functions.get(self.routes.find(host, path)?)?;
        Some((function, function.serving(now)?))
    }

    /// With one function changed, or taken out.
    pub(super) fn with(&self, name: &Name, function: Option<Function>) -> Self {
        let mut functions = self.functions.clone();
        match function {
            Some(function) => functions.insert(name.clone(), Arc::new(function)),
            None => functions.remove(name),
        };
        Self::new(functions)
    }
}
