//! Who asks.

use crate::config::Role;

/// Who asks, after their token was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The token's name; in brackets where there was none.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// Whose things it may touch; none: everybody's.
    pub owner: Option<String>,
}

impl Identity {
    pub(super) fn new(name: &str, role: Role, owner: Option<String>) -> Self {
        Self { name: name.to_owned(), role, owner }
    }

    /// A tool of this machine, where there are no tokens.
    pub(super) fn loopback() -> Self {
        Self::new("(loopback)", Role::Read, None)
    }

    /// Whoever asks what everybody may ask.
    pub(super) fn nobody() -> Self {
        Self::new("(nobody)", Role::Read, None)
    }

    /// Whether it may touch what belongs to this owner.
    pub fn may_touch(&self, owner: &str) -> bool {
        self.owner.as_deref().is_none_or(|own| own == owner)
    }

    /// Whether it is good for this.
    pub fn may(&self, role: Role) -> bool {
        self.role >= role
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use crate::config::Role;

    #[test]
    fn an_owner_touches_only_what_is_theirs() {
        let ci = Identity::new("ci", Role::Publish, Some("team-a".to_owned()));
        assert!(ci.may_touch("team-a") && !ci.may_touch("team-b") && !ci.may_touch(""));
        assert!(ci.may(Role::Read) && ci.may(Role::Publish) && !ci.may(Role::Activate));
        assert!(Identity::new("ops", Role::Read, None).may_touch("team-b"));
    }
}
