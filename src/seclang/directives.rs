//! All directives: those of ModSecurity 2 and 3 and of Coraza, and what each means here.

/// A directive.
#[derive(Debug, Clone, Copy)]
pub struct DirectiveWord {
    /// In the spelling of the manual; read in any case.
    pub name: &'static str,
    /// How many arguments, at least and at most.
    pub arguments: (usize, usize),
    /// What it means here.
    pub meaning: Meaning,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// What a directive means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Read and passed over with a warning that says why.
    Ignored(&'static str),
    /// A fault that says why: to pass over it would weaken the protection.
    Refused(&'static str),
    /// [`Meaning::Refused`] unless its first argument is `Off`.
    RefusedUnlessOff(&'static str),
    /// Does what its manual says.
    Used,
}

use Meaning::{Ignored, Refused, RefusedUnlessOff, Used};

const fn word(
    name: &'static str,
    arguments: (usize, usize),
    meaning: Meaning,
    doc: &'static str,
) -> DirectiveWord {
    DirectiveWord { name, arguments, meaning, doc }
}

/// As many as the line has.
const ANY: usize = usize::MAX;

const EVENTS: Meaning = Ignored("where events go is said in the YAML file");
const LINEAR: Meaning = Ignored("patterns run in linear time and need no limit");
const NO_FILES: Meaning = Ignored("uploaded files are never written to disk");
const NO_HASHES: Meaning = Ignored("links are not signed");
const SIGNING: Meaning = RefusedUnlessOff("links are not signed, so that nothing would check them");
const CONNECTIONS: Meaning =
    Refused("connections are limited in the YAML file, by `limits` and `timeouts`");
const PDF: Meaning = Ignored("browsers have closed this hole in PDF readers long since");
const STREAMS: Meaning = Ignored("bodies are looked at whole, by the variables of their parts");
const UNICODE: Meaning = Ignored("the map of code page 20127 is built in");

/// All of them, sorted by name.
pub const DIRECTIVES: &[DirectiveWord] = &[
    word("Include", (1, 1), Used, "reads other files here; `*` in their names is expanded"),
    word("IncludeOptional", (1, 1), Used, "as `Include`, but there may be no such file"),
    word("SecAction", (1, 1), Used, "does actions without a condition"),
    word("SecArgumentSeparator", (1, 1), Used, "what separates arguments, instead of `&`"),
    word("SecArgumentsLimit", (1, 1), Used, "how many arguments are looked at"),
    word("SecAuditEngine", (1, 1), Used, "which exchanges are told to the audit log"),
    word("SecAuditLog", (1, 1), EVENTS, "the audit log's file"),
    word("SecAuditLog2", (1, 1), EVENTS, "a second audit log"),
    word("SecAuditLogDirMode", (1, 1), EVENTS, "rights of the audit log's folders"),
    word("SecAuditLogFileMode", (1, 1), EVENTS, "rights of the audit log's files"),
    word("SecAuditLogFormat", (1, 1), EVENTS, "the audit log's format"),
    word("SecAuditLogParts", (1, 1), Used, "what the audit log tells of an exchange"),
    word("SecAuditLogPrefix", (1, 1), EVENTS, "what a line of the audit log begins with"),
    word("SecAuditLogRelevantStatus", (1, 1), Used, "statuses for which an exchange is told"),
    word("SecAuditLogStorageDir", (1, 1), EVENTS, "the audit log's folder"),
    word("SecAuditLogType", (1, 1), EVENTS, "how the audit log is written"),
    word(
        "SecCacheTransformations",
        (1, 2),
        Ignored("what transformations yield is always kept"),
        "whether transformed values are kept",
    ),
    word(
        "SecChrootDir",
        (1, 1),
        Ignored("the service manager does that"),
        "the folder to be confined to",
    ),
    word("SecCollectionTimeout", (1, 1), Used, "seconds after which a collection is forgotten"),
    word("SecComponentSignature", (1, 1), Used, "a rule set's name, told with its events"),
    word("SecConnEngine", (1, 1), SIGNING_OF_CONNECTIONS, "whether connections are limited"),
    word(
        "SecConnReadStateLimit",
        (1, 2),
        CONNECTIONS,
        "connections of a client that are being read",
    ),
    word(
        "SecConnWriteStateLimit",
        (1, 2),
        CONNECTIONS,
        "connections of a client that are written to",
    ),
    word(
        "SecContentInjection",
        (1, 1),
        Ignored("bodies are changed by Lua, in the phase `body_filter`"),
        "whether `append` and `prepend` change bodies",
    ),
    word(
        "SecCookieFormat",
        (1, 1),
        Ignored("cookies are read as browsers send them"),
        "the version of cookies",
    ),
    word(
        "SecCookieV0Separator",
        (1, 1),
        Ignored("cookies are separated by `;`, as browsers send them"),
        "what separates cookies",
    ),
    word(
        "SecDataDir",
        (1, 1),
        Ignored("collections are kept in memory"),
        "where collections are kept",
    ),
    word(
        "SecDataset",
        (2, ANY),
        Refused("write the phrases into a file and name it with `@pmFromFile`"),
        "a named list of phrases",
    ),
    word("SecDebugLog", (1, 1), EVENTS, "the debug log's file"),
    word("SecDebugLogLevel", (1, 1), EVENTS, "how much the debug log tells"),
    word("SecDefaultAction", (1, 1), Used, "actions of the rules that follow, for one phase"),
    word(
        "SecDisableBackendCompression",
        (1, 1),
        Ignored("compressed responses are unpacked to look at them"),
        "whether upstreams are asked not to compress",
    ),
    word("SecEncryptionEngine", (1, 1), SIGNING, "an old name of `SecHashEngine`"),
    word("SecEncryptionKey", (1, 2), NO_HASHES, "an old name of `SecHashKey`"),
    word("SecEncryptionMethodPm", (2, 2), NO_HASHES, "an old name of `SecHashMethodPm`"),
    word("SecEncryptionMethodRx", (2, 2), NO_HASHES, "an old name of `SecHashMethodRx`"),
    word("SecEncryptionParam", (1, 1), NO_HASHES, "an old name of `SecHashParam`"),
    word("SecGeoLookupDb", (1, 1), Used, "the database for `@geoLookup`"),
    word(
        "SecGsbLookupDb",
        (1, 1),
        Ignored("`@gsbLookup` is not read"),
        "the database for `@gsbLookup`",
    ),
    word("SecGuardianLog", (1, 2), EVENTS, "a log for httpd-guardian"),
    word("SecHashEngine", (1, 1), SIGNING, "whether links are signed"),
    word("SecHashKey", (1, 2), NO_HASHES, "the key that links are signed with"),
    word("SecHashMethodPm", (2, 2), NO_HASHES, "links that are signed, by phrases"),
    word("SecHashMethodRx", (2, 2), NO_HASHES, "links that are signed, by patterns"),
    word("SecHashParam", (1, 1), NO_HASHES, "the argument that holds a signature"),
    word(
        "SecHttpBlKey",
        (1, 1),
        Ignored("`@rbl` asks lists that need no key"),
        "the key for Project Honeypot's list",
    ),
    word(
        "SecIgnoreRuleCompilationErrors",
        (1, 1),
        Ignored("a rule with a fault never takes the place of a good one"),
        "whether rules with faults are passed over",
    ),
    word(
        "SecInterceptOnError",
        (1, 1),
        Ignored("rules do not fail at run time"),
        "whether a failing rule refuses the request",
    ),
    word("SecMarker", (1, 1), Used, "a place that `skipAfter` can name"),
    word(
        "SecParseXmlIntoArgs",
        (1, 1),
        RefusedUnlessOff("XML is looked at by the variable `XML`, not by `ARGS`"),
        "whether XML's texts are arguments too",
    ),
    word("SecPcreMatchLimit", (1, 1), LINEAR, "steps of a pattern"),
    word("SecPcreMatchLimitRecursion", (1, 1), LINEAR, "depth of a pattern's steps"),
    word("SecPdfProtect", (1, 1), PDF, "whether PDF files are protected"),
    word("SecPdfProtectInterception", (1, 1), PDF, "how PDF files are protected"),
    word("SecPdfProtectMethod", (1, 1), PDF, "how PDF files are protected"),
    word("SecPdfProtectSecret", (1, 1), PDF, "how PDF files are protected"),
    word("SecPdfProtectTimeout", (1, 1), PDF, "how PDF files are protected"),
    word("SecPdfProtectTokenName", (1, 1), PDF, "how PDF files are protected"),
    word("SecReadStateLimit", (1, 2), CONNECTIONS, "an old name of `SecConnReadStateLimit`"),
    word(
        "SecRemoteRules",
        (2, 3),
        Refused("rules come from files that the policy's digest covers, not from the network"),
        "reads rules from a server",
    ),
    word(
        "SecRemoteRulesFailAction",
        (1, 1),
        Ignored("no rules are read from servers"),
        "what happens if they cannot be read",
    ),
    word(
        "SecRemoteTimeout",
        (1, 1),
        Ignored("no rules are read from servers"),
        "seconds to wait for them",
    ),
    word("SecRequestBodyAccess", (1, 1), Used, "whether request bodies are looked at"),
    word(
        "SecRequestBodyInMemoryLimit",
        (1, 1),
        Ignored("how bodies are held is said in the YAML file, by `limits`"),
        "bytes of a body that are held in memory",
    ),
    word("SecRequestBodyJsonDepthLimit", (1, 1), Used, "how deep JSON may nest"),
    word("SecRequestBodyLimit", (1, 1), Used, "bytes of a request body"),
    word("SecRequestBodyLimitAction", (1, 1), Used, "what becomes of a longer request body"),
    word("SecRequestBodyNoFilesLimit", (1, 1), Used, "bytes of a request body without its files"),
    word(
        "SecRequestEncoding",
        (1, 1),
        Ignored("requests are bytes; transformations decode them"),
        "the encoding of requests",
    ),
    word("SecResponseBodyAccess", (1, 1), Used, "whether response bodies are looked at"),
    word("SecResponseBodyLimit", (1, 1), Used, "bytes of a response body"),
    word("SecResponseBodyLimitAction", (1, 1), Used, "what becomes of a longer response body"),
    word("SecResponseBodyMimeType", (1, ANY), Used, "types whose response bodies are looked at"),
    word("SecResponseBodyMimeTypesClear", (0, 1), Used, "takes back all those types"),
    word("SecRule", (2, 3), Used, "looks at targets and does actions where they match"),
    word("SecRuleEngine", (1, 1), Used, "whether rules refuse, only tell, or do not run"),
    word(
        "SecRuleInheritance",
        (1, 1),
        Ignored("a policy's rules are all that its files say"),
        "whether a place takes over the rules of the place around it",
    ),
    word(
        "SecRulePerfTime",
        (1, 1),
        Ignored("`moongate rules cost` tells what rules cost"),
        "microseconds of slow rules",
    ),
    word("SecRuleRemoveById", (1, ANY), Used, "takes away rules by their ids"),
    word("SecRuleRemoveByMsg", (1, 1), Used, "takes away rules whose message matches"),
    word("SecRuleRemoveByTag", (1, 1), Used, "takes away rules one of whose tags matches"),
    word(
        "SecRuleScript",
        (1, 2),
        Refused("write a `SecRule UNIQUE_ID \"@inspectFile FILE\"` with the same actions"),
        "a rule that is a Lua script",
    ),
    word("SecRuleUpdateActionById", (2, 2), Used, "changes the actions of a rule"),
    word("SecRuleUpdateTargetById", (2, 3), Used, "changes what rules look at, by their ids"),
    word("SecRuleUpdateTargetByMsg", (2, 3), Used, "changes what rules look at, by their message"),
    word("SecRuleUpdateTargetByTag", (2, 3), Used, "changes what rules look at, by their tags"),
    word(
        "SecRxPreFilter",
        (1, 1),
        Ignored("patterns are always filtered first"),
        "whether patterns are",
    ),
    word("SecSensorId", (1, 1), EVENTS, "this node's name in the audit log"),
    word(
        "SecServerSignature",
        (1, 1),
        Ignored("no `server` header is added"),
        "the `server` header",
    ),
    word(
        "SecStatusEngine",
        (1, 1),
        Ignored("nothing is ever reported home"),
        "whether use is reported",
    ),
    word("SecStreamInBodyInspection", (1, 1), STREAMS, "whether `STREAM_INPUT_BODY` is filled"),
    word("SecStreamOutBodyInspection", (1, 1), STREAMS, "whether `STREAM_OUTPUT_BODY` is filled"),
    word("SecTmpDir", (1, 1), NO_FILES, "the folder for temporary files"),
    word("SecTmpSaveUploadedFiles", (1, 1), NO_FILES, "whether uploaded files are written"),
    word("SecUnicodeCodePage", (1, 1), Used, "the code page of the map"),
    word("SecUnicodeMap", (1, 2), UNICODE, "an old name of `SecUnicodeMapFile`"),
    word("SecUnicodeMapFile", (1, 2), Used, "the map from Unicode to one byte"),
    word("SecUploadDir", (1, 1), NO_FILES, "the folder for uploaded files"),
    word("SecUploadFileLimit", (1, 1), Used, "how many files of a request are looked at"),
    word("SecUploadFileMode", (1, 1), NO_FILES, "rights of uploaded files"),
    word("SecUploadKeepFiles", (1, 1), NO_FILES, "whether uploaded files are kept"),
    word("SecWebAppId", (1, 1), Used, "the application's name, which keeps its collections apart"),
    word("SecWriteStateLimit", (1, 2), CONNECTIONS, "an old name of `SecConnWriteStateLimit`"),
    word(
        "SecXmlExternalEntity",
        (1, 1),
        Ignored("external entities of XML are never read"),
        "whether XML's external entities are read",
    ),
];

const SIGNING_OF_CONNECTIONS: Meaning =
    RefusedUnlessOff("connections are limited in the YAML file, by `limits` and `timeouts`");

/// The directive of this name, in any case.
pub fn directive(name: &[u8]) -> Option<&'static DirectiveWord> {
    let order = |entry: &DirectiveWord| {
        let known = entry.name.bytes().map(|byte| byte.to_ascii_lowercase());
        known.cmp(name.iter().map(u8::to_ascii_lowercase))
    };
    DIRECTIVES.binary_search_by(order).ok().and_then(|at| DIRECTIVES.get(at))
}

#[cfg(test)]
mod tests {
    use super::{DIRECTIVES, directive};

    #[test]
    fn directives_are_sorted_and_found_in_any_case() {
        for pair in DIRECTIVES.windows(2) {
            assert!(pair[0].name.to_lowercase() < pair[1].name.to_lowercase(), "{}", pair[1].name);
        }
        for entry in DIRECTIVES {
            let found = directive(entry.name.to_uppercase().as_bytes()).map(|found| found.name);
            assert_eq!(found, Some(entry.name));
        }
        assert!(directive(b"SecRulez").is_none());
        assert!(directive(b"").is_none());
    }
}
