//! `waf.verify_password`: argon2 and bcrypt, off the worker's thread.
//!
//! One check costs tens of milliseconds by intent. So it runs on a blocking thread, a bounded
//! number at once; a bounded number more may wait, and the rest are told that we are busy. A
//! password that was right is remembered for a minute, as an HMAC under a key of this process.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::{PasswordHash, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params};
use bytes::Bytes;
use hmac::{Hmac, Mac};
use mlua::{IntoLuaMulti, Lua, MultiValue};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::settings;
use crate::script::{Call, Waiting};

/// How long a right password is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Right passwords remembered at once.
const MAX_REMEMBERED: usize = 4096;

/// Checks that may wait for their turn.
const MAX_WAITING: usize = 64;

/// Bytes of a password; a longer one is wrong.
const MAX_PASSWORD: usize = 1024;

/// KiB of memory that an argon2 hash may ask for.
const MAX_ARGON2_MEMORY: u32 = 256 * 1024;

/// Passes over that memory.
const MAX_ARGON2_TIME: u32 = 16;

/// bcrypt's cost: 2 to this power.
const MAX_BCRYPT_COST: u32 = 16;

/// Half of the cores: a flood of wrong passwords leaves the other half to everybody else.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new((cores / 2).max(1)))
});
static WAITING: AtomicUsize = AtomicUsize::new(0);
static MEMORY: LazyLock<Memory> = LazyLock::new(Memory::default);

/// A password hash of a kind that we check.
#[derive(Debug)]
pub enum Hash<'a> {
    /// argon2id, argon2i or argon2d.
    Argon2(Box<PasswordHash<'a>>),
    /// `$2a$`, `$2b$`, `$2y$`, and its cost.
    Bcrypt(&'a str, u32),
}

impl<'a> Hash<'a> {
    /// Reads a hash and holds its cost to a bound.
    ///
    /// # Errors
    /// If it is of another kind, malformed, or too dear; with what to write instead.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            return argon2_hash(text);
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|kind| text.starts_with(kind)) {
            return bcrypt_hash(text);
        }
        Err("not an argon2 or bcrypt hash; make one with `htpasswd -B` or `argon2`".to_owned())
    }

    fn fits(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default().verify_password(password, hash).is_ok(),
            Self::Bcrypt(text, _) => bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

/// `waf.verify_password(hash, password)`: whether it fits, or nil and `busy` or what is wrong with
/// the hash.
pub fn verify_password(
    lua: Lua,
    _call: Rc<Call>,
    args: MultiValue,
) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let hash = settings::bytes(&lua, &args, 0, "verify_password")?;
        let password = settings::bytes(&lua, &args, 1, "verify_password")?;
        match verify(hash, password).await {
            Ok(fits) => fits.into_lua_multi(&lua),
            Err(reason) => (mlua::Value::Nil, reason).into_lua_multi(&lua),
        }
    })
}

/// A hash that costs as much as the dearest of these, and that no password fits.
pub fn decoy<'a>(hashes: impl Iterator<Item = &'a String>) -> String {
    let parsed = hashes.filter_map(|text| Hash::parse(text).ok());
    // Which kind is dearer is a guess: lists are of one kind.
    let dearest = parsed.max_by_key(|hash| match hash {
        Hash::Argon2(hash) => {
            let params = Params::try_from(&**hash).unwrap_or_default();
            (1, params.m_cost().saturating_mul(params.t_cost()))
        }
        Hash::Bcrypt(_, cost) => (0, *cost),
    });
    match dearest {
        Some(Hash::Bcrypt(_, cost)) => {
            format!("$2b${cost:02}$......................{}", ".".repeat(31))
        }
        Some(Hash::Argon2(hash)) => argon2_decoy(Params::try_from(&*hash).unwrap_or_default()),
        None => argon2_decoy(Params::default()),
    }
}

async fn verify(hash: Bytes, password: Bytes) -> Result<bool, String> {
    let text = std::str::from_utf8(&hash).map_err(|_| "the hash is no text".to_owned())?;
    Hash::parse(text)?;
    // bcrypt ends at a NUL: what follows one would not count.
    if password.len() > MAX_PASSWORD || password.contains(&0) {
        return Ok(false);
    }
    let mark = MEMORY.mark(&hash, &password);
    if MEMORY.knows(&mark) {
        return Ok(true);
    }
    let fits = in_turn(hash, password).await?;
    if fits {
        MEMORY.remember(mark);
    }
    Ok(fits)
}

async fn in_turn(hash: Bytes, password: Bytes) -> Result<bool, String> {
    let place = Place::take().ok_or_else(|| "busy".to_owned())?;
    let turn = TURNS.clone().acquire_owned().await.map_err(|_| "busy".to_owned())?;
    drop(place);
    let work = tokio::task::spawn_blocking(move || {
        // The turn ends with the work, also when the client is gone and nobody waits for it.
        let _turn = turn;
        let text = std::str::from_utf8(&hash).unwrap_or_default();
        Hash::parse(text).is_ok_and(|hash| hash.fits(&password))
    });
    work.await.map_err(|_| "the check was cut off".to_owned())
}

/// A place among those who wait.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let place = Self;
        // A refused one counts itself for a moment and leaves again by its drop.
        (WAITING.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

type Mark = [u8; 32];

/// Passwords that were right a moment ago.
struct Memory {
    key: [u8; 32],
    marks: Mutex<HashMap<Mark, Instant>>,
}

impl Default for Memory {
    fn default() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("a system without random numbers cannot be served from");
        Self { key, marks: Mutex::default() }
    }
}

impl Memory {
    fn mark(&self, hash: &[u8], password: &[u8]) -> Mark {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        hmac.update(&(hash.len() as u64).to_le_bytes());
        hmac.update(hash);
        hmac.update(password);
        hmac.finalize().into_bytes().into()
    }

    fn knows(&self, mark: &Mark) -> bool {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.get(mark).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    fn remember(&self, mark: Mark) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= MAX_REMEMBERED {
            marks.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if marks.len() < MAX_REMEMBERED {
            marks.insert(mark, Instant::now());
        }
    }
}

fn argon2_hash(text: &str) -> Result<Hash<'_>, String> {
    let hash = PasswordHash::new(text).map_err(|error| format!("not an argon2 hash: {error}"))?;
    let params = Params::try_from(&hash).map_err(|error| format!("not an argon2 hash: {error}"))?;
    if params.m_cost() > MAX_ARGON2_MEMORY || params.t_cost() > MAX_ARGON2_TIME {
        return Err(format!(
            "argon2 with more than {MAX_ARGON2_MEMORY} KiB or {MAX_ARGON2_TIME} passes is too dear \
             to check for each client"
        ));
    }
    if hash.hash.is_none() || Algorithm::try_from(hash.algorithm).is_err() {
        return Err("not an argon2 hash: its end is missing".to_owned());
    }
    Ok(Hash::Argon2(Box::new(hash)))
}

fn bcrypt_hash(text: &str) -> Result<Hash<'_>, String> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    let well_formed = text.len() == 60
        && text.is_ascii()
        && text.get(6..7) == Some("$")
        && text.bytes().skip(7).all(letters);
    let cost = text.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
    match cost {
        Some(cost @ 4..=MAX_BCRYPT_COST) if well_formed => Ok(Hash::Bcrypt(text, cost)),
        Some(4..=31) if well_formed => Err(format!(
            "bcrypt with a cost above {MAX_BCRYPT_COST} is too dear to check for each client"
        )),
        _ => Err("not a bcrypt hash: it has 60 characters, `$2y$10$` and 53 more".to_owned()),
    }
}

fn argon2_decoy(params: Params) -> String {
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    // Nobody knows a password whose hash is all zeros.
    format!("$argon2id$v=19$m={m},t={t},p={p}$bW9vbmdhdGUncyBkZWNveQ${}", "A".repeat(43))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Hash, Memory, decoy, verify};

    fn verdict(hash: &str, password: &'static str) -> Result<bool, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(verify(Bytes::copy_from_slice(hash.as_bytes()), password.into()))
    }

    #[test]
    fn a_decoy_is_a_hash_that_no_password_fits() {
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        let argon =
            "$argon2id$v=19$m=64,t=2,p=1$bW9vbmdhdGUncyBkZWNveQ$".to_owned() + &"A".repeat(43);
        for (like, kind) in [(bcrypt, "$2b$04$"), (argon, "$argon2id$v=19$m=64,t=2,p=1$")] {
            let decoy = decoy([&like].into_iter());
            assert!(decoy.starts_with(kind), "{decoy}");
            assert!(Hash::parse(&decoy).is_ok(), "{decoy}");
            assert_eq!(verdict(&decoy, "x"), Ok(false));
        }
    }

    #[test]
    fn hashes_that_are_too_dear_are_refused_before_they_are_checked() {
        let dear = format!("$2y$31${}", ".".repeat(53));
        assert!(Hash::parse(&dear).unwrap_err().contains("too dear"));
        let dear =
            format!("$argon2id$v=19$m=4194304,t=3,p=1$bW9vbmdhdGUncyBkZWNveQ${}", "A".repeat(43));
        assert!(Hash::parse(&dear).unwrap_err().contains("too dear"));
        for bad in [
            "",
            "$2y$10$short",
            "$2y$10$\u{e9}",
            "$argon2id$",
            "plain",
            "$argon2id$v=19$m=64,t=1,p=1$bW9vbmdhdGU",
        ] {
            assert!(Hash::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_that_was_right_is_remembered_with_its_hash_only() {
        let memory = Memory::default();
        memory.remember(memory.mark(b"hash", b"password"));
        assert!(memory.knows(&memory.mark(b"hash", b"password")));
        assert!(!memory.knows(&memory.mark(b"hash", b"passwor")));
        assert!(!memory.knows(&memory.mark(b"hashp", b"assword")));
        assert!(!memory.knows(&Memory::default().mark(b"hash", b"password")));
    }

    #[test]
    fn a_password_with_a_nul_or_of_great_length_is_wrong() {
        let hash = bcrypt::hash("x", 4).unwrap();
        assert_eq!(verdict(&hash, "x\0y"), Ok(false));
        let long: &'static str = "x".repeat(2000).leak();
        assert_eq!(verdict(&hash, long), Ok(false));
    }
}
