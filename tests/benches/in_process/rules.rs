//! The rule sets, for both sides from the same files.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const DEBIAN_SETUP: &str = "/etc/modsecurity/crs";

/// What both are told before the rules: bodies are read, JSON and XML by what they say they are.
const BASE: &str = include_str!("../jobs/base.conf");

/// From level 2 on benign requests have matches too: no sum ends them, so that all phases run.
pub const OUT_OF_REACH: u32 = 100_000;

/// A rule set to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ruleset {
    /// CRS 4, in the folder that `CRS_DIR` names.
    Crs4,
    /// CRS 3.3.4 as Debian packages it.
    Debian,
}

/// Whether the limits of the rule set hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// As they come.
    Kept,
    /// Beyond every size that is measured.
    Lifted,
}

/// What lifts them.
const LIFTED: &str = "SecRequestBodyLimit 100000000\nSecRequestBodyNoFilesLimit 100000000\n\
    SecArgumentsLimit 10000000\nSecResponseBodyLimit 100000000\n";

/// The files of a rule set.
pub struct Files {
    folder: TempDir,
}

impl Ruleset {
    /// Those that are on this machine.
    pub fn present() -> Vec<Self> {
        let debian = Path::new(DEBIAN).exists().then_some(Self::Debian);
        let crs4 = std::env::var_os("CRS_DIR").map(|_| Self::Crs4);
        debian.into_iter().chain(crs4).collect()
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crs4 => "CRS 4",
            Self::Debian => "CRS 3.3.4 (Debian)",
        }
    }

    /// Its files, and what sets the paranoia level for the library (ours has a setting for that).
    pub fn files(self, paranoia: u8) -> Files {
        self.files_within(paranoia, Bounds::Kept)
    }

    /// The same, with its limits or without.
    pub fn files_within(self, paranoia: u8, bounds: Bounds) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let lifted = if bounds == Bounds::Lifted { LIFTED } else { "" };
        let base = format!("{BASE}{lifted}");
        let rules: String =
            self.includes().iter().map(|path| format!("Include {path}\n")).collect();
        fs::write(folder.path().join("shared.conf"), format!("{base}{rules}")).unwrap();
        let level = format!(
            "SecAction \"id:900900,phase:1,pass,nolog,setvar:tx.paranoia_level={paranoia},\
             setvar:tx.blocking_paranoia_level={paranoia},\
             setvar:tx.detection_paranoia_level={paranoia},\
             setvar:tx.inbound_anomaly_score_threshold={OUT_OF_REACH},\
             setvar:tx.outbound_anomaly_score_threshold={OUT_OF_REACH}\"\n"
        );
        let level = if paranoia == 1 { String::new() } else { level };
        fs::write(folder.path().join("theirs.conf"), format!("{base}{level}{rules}")).unwrap();
        Files { folder }
    }

    fn includes(self) -> Vec<String> {
        match self {
            Self::Debian => vec![
                format!("{DEBIAN_SETUP}/crs-setup.conf"),
                format!("{DEBIAN_SETUP}/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"),
                format!("{DEBIAN}/rules/*.conf"),
                format!("{DEBIAN_SETUP}/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"),
            ],
            Self::Crs4 => {
                let folder = std::env::var("CRS_DIR").expect("CRS_DIR names a tree of CRS 4");
                let setup = ["crs-setup.conf", "crs-setup.conf.example"]
                    .map(|name| format!("{folder}/{name}"))
                    .into_iter()
                    .find(|path| Path::new(path).exists());
                vec![setup.expect("crs-setup.conf in CRS_DIR"), format!("{folder}/rules/*.conf")]
            }
        }
    }
}

impl Files {
    /// The rules, with nothing said of paranoia.
    pub fn shared(&self) -> PathBuf {
        self.folder.path().join("shared.conf")
    }

    /// The same with the paranoia level set by a rule.
    pub fn theirs(&self) -> PathBuf {
        self.folder.path().join("theirs.conf")
    }
}
