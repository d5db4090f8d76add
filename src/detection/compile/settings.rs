//! Directives that set something.

use super::context::{Context, folder};
use super::faults::Site;
use crate::config::Engine;
use crate::detection::operators::{Fault, GeoDatabase};
use crate::detection::pattern::{Case, Pattern};
use crate::detection::{AuditEngine, Overflow, Settings};
use crate::seclang::{Directive, DirectiveKind, Word};

/// One directive being read.
struct Scene<'s, 'c, 'a> {
    context: &'s mut Context<'c>,
    settings: &'s mut Settings,
    directive: &'a Directive,
    arguments: &'a [Word],
    /// Whether a directive before this one named media types.
    has_types: &'s mut bool,
}

type Read = fn(&mut Scene<'_, '_, '_>);

/// What each does. A directive that is not here is one that the parser accepts with a warning.
const DIRECTIVES: &[(&str, Read)] = &[
    ("SecArgumentSeparator", separator),
    ("SecArgumentsLimit", |scene| scene.set_count(|settings| &mut settings.arguments)),
    ("SecAuditEngine", audit_engine),
    ("SecAuditLogParts", audit_parts),
    ("SecAuditLogRelevantStatus", audit_status),
    ("SecCollectionTimeout", |scene| scene.set_number(|settings| &mut settings.collection_timeout)),
    ("SecComponentSignature", signature),
    ("SecGeoLookupDb", geo_database),
    ("SecRequestBodyAccess", |scene| scene.set_flag(|settings| &mut settings.request_body_access)),
    ("SecRequestBodyJsonDepthLimit", |scene| scene.set_count(|settings| &mut settings.json_depth)),
    ("SecRequestBodyLimit", |scene| scene.set_number(|settings| &mut settings.request_body_limit)),
    ("SecRequestBodyLimitAction", |scene| {
        scene.set_overflow(|settings| &mut settings.request_body_overflow);
    }),
    ("SecRequestBodyNoFilesLimit", |scene| {
        scene.set_number(|settings| &mut settings.request_body_no_files_limit);
    }),
    ("SecResponseBodyAccess", |scene| {
        scene.set_flag(|settings| &mut settings.response_body_access);
    }),
    ("SecResponseBodyLimit", |scene| {
        scene.set_number(|settings| &mut settings.response_body_limit);
    }),
    ("SecResponseBodyLimitAction", |scene| {
        scene.set_overflow(|settings| &mut settings.response_body_overflow);
    }),
    ("SecResponseBodyMimeType", response_types),
    ("SecResponseBodyMimeTypesClear", |scene| {
        scene.settings.response_types.clear();
        *scene.has_types = true;
    }),
    ("SecRuleEngine", rule_engine),
    ("SecUnicodeCodePage", |scene| code_page(scene, 0)),
    ("SecUnicodeMapFile", |scene| code_page(scene, 1)),
    ("SecUploadFileLimit", |scene| scene.set_count(|settings| &mut settings.files)),
    ("SecWebAppId", |scene| scene.settings.web_app_id = scene.first()),
];

/// Reads directives in order: the last word counts.
pub(super) fn read(context: &mut Context<'_>, directives: &[&Directive]) -> Settings {
    let mut settings = Settings::default();
    let has_types = &mut false;
    for directive in directives {
        let DirectiveKind::Setting { name, arguments } = &directive.kind else { continue };
        let known = DIRECTIVES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, read)) = known {
            read(&mut Scene { context, settings: &mut settings, directive, arguments, has_types });
        }
    }
    settings
}

impl Scene<'_, '_, '_> {
    /// The first argument; empty if there is none.
    fn first(&self) -> String {
        self.argument(0)
    }

    fn argument(&self, at: usize) -> String {
        self.arguments.get(at).map(|word| word.as_str().trim().to_owned()).unwrap_or_default()
    }

    fn refuse(&mut self, at: usize, expected: &str) {
        let text = self.argument(at);
        let span = self.arguments.get(at).map_or(self.directive.span, |word| word.span);
        let site = Site::new(self.directive, span);
        let message = format!("`{text}` is not understood");
        self.context.push(site.fault("seclang::setting-value", message, expected));
    }

    fn set_flag(&mut self, field: fn(&mut Settings) -> &mut bool) {
        match self.first().to_ascii_lowercase().as_str() {
            "on" => *field(self.settings) = true,
            "off" => *field(self.settings) = false,
            _ => self.refuse(0, "expected `On` or `Off`"),
        }
    }

    fn set_number(&mut self, field: fn(&mut Settings) -> &mut u64) {
        match self.first().parse() {
            Ok(number) => *field(self.settings) = number,
            Err(_) => self.refuse(0, "expected a number"),
        }
    }

    fn set_count(&mut self, field: fn(&mut Settings) -> &mut usize) {
        match self.first().parse() {
            Ok(number @ 1..) => *field(self.settings) = number,
            _ => self.refuse(0, "expected a number above 0"),
        }
    }

    fn set_overflow(&mut self, field: fn(&mut Settings) -> &mut Overflow) {
        match self.first().to_ascii_lowercase().as_str() {
            "reject" => *field(self.settings) = Overflow::Reject,
            "processpartial" => *field(self.settings) = Overflow::ProcessPartial,
            _ => self.refuse(0, "expected `Reject` or `ProcessPartial`"),
        }
    }
}

fn audit_engine(scene: &mut Scene<'_, '_, '_>) {
    match scene.first().to_ascii_lowercase().as_str() {
        "on" => scene.settings.audit = AuditEngine::On,
        "off" => scene.settings.audit = AuditEngine::Off,
        "relevantonly" => scene.settings.audit = AuditEngine::RelevantOnly,
        _ => scene.refuse(0, "expected `On`, `Off` or `RelevantOnly`"),
    }
}

fn audit_parts(scene: &mut Scene<'_, '_, '_>) {
    let parts = scene.first().to_ascii_uppercase();
    if parts.bytes().all(|letter| matches!(letter, b'A'..=b'K' | b'Z')) && !parts.is_empty() {
        scene.settings.audit_parts = parts;
    } else {
        scene.refuse(0, "expected letters from A to K, and Z");
    }
}

fn audit_status(scene: &mut Scene<'_, '_, '_>) {
    let Some(word) = scene.arguments.first() else {
        return scene.refuse(0, "expected a regular expression");
    };
    match Pattern::new(&word.text, Case::Differs) {
        Ok(pattern) => scene.settings.audit_status = Some(pattern.into()),
        Err(fault) => {
            let site = Site::new(scene.directive, word.span);
            let label = "not a regular expression";
            scene.context.push(site.fault("seclang::pattern", fault.message, label));
        }
    }
}

/// Only the map of code page 20127 is built in: another would decode `%u` differently than rules
/// expect.
fn code_page(scene: &mut Scene<'_, '_, '_>, at: usize) {
    if !matches!(scene.argument(at).as_str(), "" | "20127") {
        scene.refuse(at, "expected `20127`, the only map that is built in");
    }
}

fn geo_database(scene: &mut Scene<'_, '_, '_>) {
    let path = folder(scene.directive).join(scene.first());
    let bytes = scene.context.files.read(&path).map_err(|error| Fault::new(error.to_string()));
    match bytes.and_then(GeoDatabase::new) {
        Ok(database) => scene.context.geo = Some(database.into()),
        Err(fault) => {
            let span = scene.arguments.first().map_or(scene.directive.span, |word| word.span);
            let message = format!("`{}`: {}", path.display(), fault.message);
            let site = Site::new(scene.directive, span);
            scene.context.push(site.fault("seclang::file", message, "named here"));
        }
    }
}

/// The first directive takes the place of the defaults, the next ones add to it.
fn response_types(scene: &mut Scene<'_, '_, '_>) {
    let mut types = Vec::new();
    for word in scene.arguments {
        types.extend(word.as_str().split_whitespace().map(str::to_ascii_lowercase));
    }
    if types.is_empty() {
        scene.refuse(0, "expected media types such as `text/html`");
    }
    if !std::mem::replace(scene.has_types, true) {
        scene.settings.response_types.clear();
    }
    scene.settings.response_types.extend(types);
}

fn rule_engine(scene: &mut Scene<'_, '_, '_>) {
    match scene.first().to_ascii_lowercase().as_str() {
        "on" => scene.settings.engine = Some(Engine::On),
        "off" => scene.settings.engine = Some(Engine::Off),
        "detectiononly" => scene.settings.engine = Some(Engine::Detect),
        _ => scene.refuse(0, "expected `On`, `Off` or `DetectionOnly`"),
    }
}

fn separator(scene: &mut Scene<'_, '_, '_>) {
    match scene.first().as_bytes() {
        [separator] => scene.settings.separator = *separator,
        _ => scene.refuse(0, "expected one character"),
    }
}

fn signature(scene: &mut Scene<'_, '_, '_>) {
    let signature = scene.first();
    scene.settings.signatures.push(signature);
}
