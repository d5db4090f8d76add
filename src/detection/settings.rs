//! What the `Sec…` directives set, with ModSecurity's defaults where they protect and ours where not.

use crate::config::Engine;

/// What the `Sec…` directives set. A route's own settings (engine, thresholds) stand above these.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SecRuleEngine`; none: what the YAML file says.
    pub engine: Option<Engine>,
    /// `SecRequestBodyAccess`; on unless said otherwise (a rule set without it would judge nothing).
    pub request_body_access: bool,
    /// `SecRequestBodyLimit`, in bytes.
    pub request_body_limit: u64,
    /// `SecRequestBodyNoFilesLimit`, in bytes.
    pub request_body_no_files_limit: u64,
    /// `SecRequestBodyLimitAction`.
    pub request_body_overflow: Overflow,
    /// `SecRequestBodyJsonDepthLimit`.
    pub json_depth: usize,
    /// `SecArgumentsLimit`.
    pub arguments: usize,
    /// `SecArgumentSeparator`.
    pub separator: u8,
    /// `SecUploadFileLimit`.
    pub files: usize,
    /// `SecResponseBodyAccess`.
    pub response_body_access: bool,
    /// `SecResponseBodyMimeType`, lower case.
    pub response_types: Vec<String>,
    /// `SecResponseBodyLimit`, in bytes (after decompression).
    pub response_body_limit: u64,
    /// `SecResponseBodyLimitAction`.
    pub response_body_overflow: Overflow,
    /// `SecAuditEngine`.
    pub audit: AuditEngine,
    /// `SecAuditLogRelevantStatus`.
    pub audit_status: Option<std::sync::Arc<super::pattern::Pattern>>,
    /// `SecAuditLogParts`.
    pub audit_parts: String,
    /// `SecCollectionTimeout`, in seconds.
    pub collection_timeout: u64,
    /// `SecWebAppId`.
    pub web_app_id: String,
    /// `SecComponentSignature`, in order.
    pub signatures: Vec<String>,
}

/// What becomes of a body that is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Its beginning is judged, the rest passes unseen.
    ProcessPartial,
    /// It is refused.
    #[default]
    Reject,
}

/// `SecAuditEngine`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditEngine {
    /// No exchange.
    Off,
    /// Every exchange.
    On,
    /// Those that matched a rule that says `auditlog`, or whose status is relevant.
    #[default]
    RelevantOnly,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: None,
            request_body_access: true,
            request_body_limit: 13_107_200,
            request_body_no_files_limit: 1 << 20,
            request_body_overflow: Overflow::Reject,
            json_depth: 512,
            arguments: 1000,
            separator: b'&',
            files: 100,
            response_body_access: true,
            response_types: ["text/plain", "text/html", "text/xml"].map(String::from).to_vec(),
            response_body_limit: 524_288,
            response_body_overflow: Overflow::ProcessPartial,
            audit: AuditEngine::default(),
            audit_status: None,
            audit_parts: "ABIJDEFHZ".to_owned(),
            collection_timeout: 3600,
            web_app_id: "default".to_owned(),
            signatures: Vec::new(),
        }
    }
}
