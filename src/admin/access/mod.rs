//! Who may ask what: tokens, roles, owners.

mod denied;
mod failures;
mod file;
mod identity;

pub use denied::{Denied, Reason};
pub use identity::Identity;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::asked::Head;
use super::table::{Endpoint, Scope};
use crate::config::{Config, Role, Token};
use crate::telemetry::events;
use failures::Failures;
use file::{Reading, TokenFile};

/// What the token of the setting `admin.token` is called.
const OF_THE_SETTINGS: &str = "admin.token";

/// Who may ask what.
#[derive(Default)]
pub struct Access {
    file: TokenFile,
    failures: Failures,
}

/// The tokens that hold now.
struct Tokens {
    list: Arc<[Token]>,
    /// The digest of `admin.token`.
    setting: Option<[u8; 32]>,
}

impl Access {
    /// Tells in the log what is wrong with the token file: else nobody hears of it before they ask.
    pub fn look(&self, settings: &Config) {
        let reading = self.file.read(&settings.token_file());
        if settings.admin.tokens.is_some() && matches!(reading, Reading::Missing) {
            let what = format!("the token file `{}` is not there", settings.token_file().display());
            let next = "`moongate tokens add` makes it; until then nobody is known by it";
            events::Trouble { what: &what, next }.emit();
        }
    }

    /// Who asks, if they may ask this.
    pub(super) fn admit(
        &self,
        settings: &Config,
        head: &Head<'_>,
        endpoint: Option<&Endpoint>,
    ) -> Result<Identity, Denied> {
        let public = endpoint.is_some_and(|endpoint| endpoint.scope == Scope::Public);
        let Some(tokens) = self.tokens(settings) else { return without_tokens(head, endpoint) };
        if public {
            return Ok(Identity::nobody());
        }
        if let Some(wait) = self.failures.wait(head.from.ip(), Instant::now()) {
            return Err(Denied::stranger(Reason::TooManyFailures(wait)));
        }
        let who = tokens.identify(head).inspect_err(|denied| {
            if denied.reason != Reason::NoToken {
                self.failures.note(head.from.ip(), Instant::now());
            }
        })?;
        match endpoint.and_then(|endpoint| forbidden(&who, endpoint)) {
            Some(reason) => Err(Denied { reason, who: Some(who) }),
            None => Ok(who),
        }
    }

    /// None: there are no tokens.
    fn tokens(&self, settings: &Config) -> Option<Tokens> {
        let setting = settings.admin.token.as_ref().map(|token| digest(token));
        let named = settings.admin.tokens.is_some();
        match self.file.read(&settings.token_file()) {
            Reading::Sound(list) if list.is_empty() && setting.is_none() => None,
            Reading::Missing if !named && setting.is_none() => None,
            Reading::Sound(list) => Some(Tokens { list, setting }),
            Reading::Faulty | Reading::Missing => Some(Tokens { list: Arc::new([]), setting }),
        }
    }
}

fn forbidden(who: &Identity, endpoint: &Endpoint) -> Option<Reason> {
    if who.role < endpoint.role {
        return Some(Reason::Role { wanted: endpoint.role });
    }
    (endpoint.scope == Scope::Node && who.owner.is_some()).then_some(Reason::Owner)
}

/// Without tokens only this machine's own tools are answered, and change nothing.
fn without_tokens(head: &Head<'_>, endpoint: Option<&Endpoint>) -> Result<Identity, Denied> {
    if !head.from.ip().to_canonical().is_loopback() {
        return Err(Denied::stranger(Reason::Remote));
    }
    if !is_local(head) {
        return Err(Denied::stranger(Reason::ForeignPage));
    }
    match endpoint {
        Some(endpoint) if endpoint.role > Role::Read || endpoint.changes() => {
            Err(Denied::stranger(Reason::NoTokens))
        }
        _ => Ok(Identity::loopback()),
    }
}

/// Whether a request without token is from this machine's own tools: a page of another site could
/// reach a loopback port through its visitor's browser.
fn is_local(head: &Head<'_>) -> bool {
    let host = head.host.unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let direct = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    let same_origin = head
        .origin
        .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|origin| origin == host));
    direct && same_origin
}

impl Tokens {
    /// Whose token came with the request.
    fn identify(&self, head: &Head<'_>) -> Result<Identity, Denied> {
        let given = head.authorization.and_then(bearer);
        let Some(given) = given else { return Err(Denied::stranger(Reason::NoToken)) };
        let given = digest(given);
        // Each is looked at, and each as long: the time tells nothing of where one matched.
        let mut found = u32::MAX;
        for (index, token) in (0..).zip(self.list.iter()) {
            found.conditional_assign(&index, token.sha256.ct_eq(&given));
        }
        let setting = self.setting.unwrap_or_default().ct_eq(&given);
        if self.setting.is_some() && bool::from(setting) {
            return Ok(Identity::new(OF_THE_SETTINGS, Role::Admin, None));
        }
        let Some(token) = self.list.get(found as usize) else {
            return Err(Denied::stranger(Reason::UnknownToken));
        };
        let who = Identity::new(&token.name, token.role, token.owner.clone());
        if token.expires_at.is_some_and(|end| end <= SystemTime::now()) {
            return Err(Denied { reason: Reason::ExpiredToken, who: Some(who) });
        }
        Ok(who)
    }
}

/// What stands behind `Bearer`.
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{Head, Reason, Role, Token, Tokens, bearer, digest, is_local};
    use std::time::{Duration, SystemTime};

    fn head<'a>(host: &'a str, origin: Option<&'a str>, token: Option<&'a str>) -> Head<'a> {
        Head {
            method: "GET",
            path: "/policy",
            query: None,
            from: ([127, 0, 0, 1], 9).into(),
            host: Some(host),
            origin,
            authorization: token,
            if_match: None,
            if_none_match: None,
            content_type: None,
        }
    }

    #[test]
    fn a_page_of_another_site_learns_nothing() {
        assert!(is_local(&head("127.0.0.1:9180", None, None)));
        assert!(is_local(&head("[::1]:9180", None, None)));
        assert!(is_local(&head("localhost:9180", Some("http://localhost:9180"), None)));
        assert!(!is_local(&head("rebound.example:9180", None, None)));
        assert!(!is_local(&head("127.0.0.1:9180", Some("http://evil.example"), None)));
    }

    #[test]
    fn a_bearer_is_called_so_in_any_case() {
        assert_eq!(bearer("bEARER  x"), Some("x"));
        for field in ["x", "Basic x", "Bearer", "Bearer ", "Bearerx"] {
            assert_eq!(bearer(field), None, "{field}");
        }
    }

    #[test]
    fn each_token_is_known_by_its_digest_until_it_expires() {
        let token = |name: &str, expires_at| Token {
            name: name.to_owned(),
            role: Role::Publish,
            owner: None,
            sha256: digest(name),
            created_at: SystemTime::UNIX_EPOCH,
            expires_at,
        };
        let hour = Duration::from_secs(3600);
        let (past, later) = (SystemTime::now() - hour, SystemTime::now() + hour);
        let list = [token("a", None), token("old", Some(past)), token("b", Some(later))];
        let tokens = Tokens { list: list.into(), setting: Some(digest("root")) };
        let identify = |authorization: &str| {
            let identified = tokens.identify(&head("h", None, Some(authorization)));
            identified.map(|who| who.name).map_err(|denied| denied.reason)
        };
        assert_eq!(identify("Bearer a"), Ok("a".to_owned()));
        assert_eq!(identify("Bearer b"), Ok("b".to_owned()));
        assert_eq!(identify("Bearer root"), Ok("admin.token".to_owned()));
        assert_eq!(identify("Bearer old"), Err(Reason::ExpiredToken));
        assert_eq!(identify("Bearer c"), Err(Reason::UnknownToken));
        assert_eq!(identify("Basic a"), Err(Reason::NoToken));
        // A digest is no token: who reads the file cannot ask.
        let hex = crate::policy::hex(&digest("a"));
        assert_eq!(identify(&format!("Bearer {hex}")), Err(Reason::UnknownToken));
    }
}
