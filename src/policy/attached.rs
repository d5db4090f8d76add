//! The operator's modules as attached: which version, where, how far it counts.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::StepId;
use super::bundle::hex;
use crate::config::{Attachment, HandlerMode, HandlerSource};
use crate::transaction::Phase;

/// What follows the name of what runs without effect.
pub(super) const SHADOW: &str = " (shadow)";

/// A version of a module: its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleVersion {
    /// As written after `module:`.
    pub name: Arc<str>,
    /// SHA-256 of its text, in hex.
    pub digest: Arc<str>,
    /// Where the text is from: a path, or `built-in:NAME`.
    pub origin: Arc<str>,
}

/// One entry of the settings that attaches a module.
#[derive(Debug, Clone)]
pub struct AttachedModule {
    /// What is attached.
    pub version: ModuleVersion,
    /// Whose it is.
    pub owner: Arc<str>,
    /// The route; none: every route.
    pub route: Option<Arc<str>>,
    /// How far it counts there.
    pub mode: HandlerMode,
    /// Where it runs.
    pub phases: Vec<Phase>,
    /// What runs; nothing if it is off.
    pub steps: Vec<StepId>,
}

/// A handler that runs beside those that count, without effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BesideStep {
    /// Where.
    pub phase: Phase,
    /// What.
    pub id: StepId,
    /// How many of the phase's handlers come before it.
    pub after: usize,
}

/// The version of a module that an attachment names; none: it is no module.
pub(super) fn version(source: &HandlerSource) -> Option<ModuleVersion> {
    let HandlerSource::Module { name, text, origin, .. } = source else { return None };
    let name = name.strip_suffix(SHADOW).unwrap_or(name);
    let digest = hex(&Sha256::digest(text.as_bytes()));
    let (name, origin) = (name.into(), origin.strip_suffix(SHADOW).unwrap_or(origin).into());
    Some(ModuleVersion { name, digest: digest.into(), origin })
}

/// An attachment that is to run without effect: its log lines tell so.
pub(super) fn told_apart(attachment: &Attachment) -> Attachment {
    let mut attachment = attachment.clone();
    if let HandlerSource::Module { name, origin, .. } = &mut attachment.source
        && attachment.mode.is_without_effect()
    {
        name.push_str(SHADOW);
        origin.push_str(SHADOW);
    }
    attachment
}
