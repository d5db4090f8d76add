//! `moongate rules install`: real archives, real signatures by a key made for the test, from files
//! and from a server on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::support::{Answer, Output, Upstream};

/// A folder with a key of its own, releases, and what they were installed into.
struct Place {
    folder: tempfile::TempDir,
    fingerprint: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("gnupg");
        std::fs::create_dir(&home).unwrap();
        let mut place = Self { folder, fingerprint: String::new() };
        place.gpg(&[
            "--passphrase",
            "",
            "--quick-generate-key",
            "crs@test.example",
            "rsa2048",
            "sign",
        ]);
        let keys = place.gpg(&["--with-colons", "--list-keys"]);
        let line = keys.lines().find(|line| line.starts_with("fpr:")).expect("a key");
        place.fingerprint = line.split(':').nth(9).expect("its fingerprint").to_owned();
        let key = place.gpg(&["--armor", "--export"]);
        std::fs::write(place.path("key.asc"), key).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.path("gnupg")).args(["--batch", "--yes"]);
        let output = command.args(["--pinentry-mode", "loopback"]).args(arguments).output();
        let output = output.expect("gpg is installed (tests/run installs it)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A signed release with one rule that says `text`.
    fn release(&self, version: &str, text: &str) -> PathBuf {
        let folder = self.path(&format!("build/coreruleset-{version}"));
        std::fs::create_dir_all(folder.join("rules")).unwrap();
        std::fs::write(folder.join("rules/ONE.conf"), format!("SecMarker {text}\n")).unwrap();
        std::fs::write(folder.join("crs-setup.conf.example"), "# as delivered\n").unwrap();
        let archive = self.path(&format!("coreruleset-{version}.tar.gz"));
        let mut tar = Command::new("tar");
        let made = tar.arg("czf").arg(&archive).arg("-C").arg(self.path("build"));
        assert!(made.arg(format!("coreruleset-{version}")).status().unwrap().success());
        let signature = format!("{}.asc", archive.display());
        let name = archive.display().to_string();
        self.gpg(&["--armor", "--output", &signature, "--detach-sign", &name]);
        archive
    }

    fn install(&self, what: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
        command.current_dir(self.folder.path()).args(["rules", "install", what]);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn signed(&self, what: &str, from: &Path) -> Output {
        let from = from.display().to_string();
        self.install(
            what,
            &["--from", &from, "--key", "key.asc", "--fingerprint", &self.fingerprint],
        )
    }
}

#[test]
fn a_signed_release_is_unpacked_pinned_and_named_for_the_settings_file() {
    let place = Place::new();
    let archive = place.release("4.1.0", "A");
    let output = place.signed("owasp-crs@4.1.0", &archive);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("crs: rules/owasp-crs-4.1.0"), "{}", output.stdout);
    let installed = place.path("rules/owasp-crs-4.1.0");
    assert_eq!(std::fs::read_to_string(installed.join("rules/ONE.conf")).unwrap(), "SecMarker A\n");
    assert!(installed.join("crs-setup.conf").exists());
    let pins = std::fs::read_to_string(place.path("rules/owasp-crs.lock")).unwrap();
    assert!(pins.contains("4.1.0") && pins.contains(&place.fingerprint), "{pins}");
}

#[test]
fn a_release_comes_from_a_server_with_its_signature_and_key_beside_it() {
    let place = Place::new();
    let archive = place.release("4.1.0", "A");
    let server = Upstream::start();
    let signature = format!("{}.asc", archive.display());
    server.answer(
        "/coreruleset-4.1.0.tar.gz",
        Answer::with(200, &[], std::fs::read(&archive).unwrap()),
    );
    server.answer(
        "/coreruleset-4.1.0.tar.gz.asc",
        Answer::with(200, &[], std::fs::read(signature).unwrap()),
    );
    server
        .answer("/key.asc", Answer::with(200, &[], std::fs::read(place.path("key.asc")).unwrap()));
    let url = |name: &str| format!("http://{}/{name}", server.address);
    let (from, key) = (url("coreruleset-4.1.0.tar.gz"), url("key.asc"));
    let output = place.install(
        "owasp-crs",
        &["--from", &from, "--key", &key, "--fingerprint", &place.fingerprint],
    );
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(place.path("rules/owasp-crs-4.1.0/rules/ONE.conf").exists());
}

#[test]
fn what_is_not_signed_by_the_key_is_not_installed() {
    let place = Place::new();
    let archive = place.release("4.1.0", "A");
    let from = archive.display().to_string();
    let other = place.install("owasp-crs", &["--from", &from, "--key", "key.asc"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains("which is not 36006F0E0BA1"), "{}", other.stderr);
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes.push(0);
    std::fs::write(&archive, bytes).unwrap();
    let changed = place.signed("owasp-crs", &archive);
    assert_eq!(changed.code, 1);
    assert!(changed.stderr.contains("signature is not good"), "{}", changed.stderr);
    std::fs::remove_file(format!("{}.asc", archive.display())).unwrap();
    let unsigned = place.signed("owasp-crs", &archive);
    assert!(unsigned.stderr.contains("--sha256"), "{}", unsigned.stderr);
    assert!(!place.path("rules").exists());
}

#[test]
fn a_digest_that_the_operator_knows_stands_for_a_signature() {
    let place = Place::new();
    let archive = place.release("4.1.0", "A").display().to_string();
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_owned();
    let wrong = place.install("owasp-crs", &["--from", &archive, "--sha256", &"0".repeat(64)]);
    assert!(wrong.code == 1 && wrong.stderr.contains(&sum), "{}", wrong.stderr);
    let right = place.install("owasp-crs", &["--from", &archive, "--sha256", &sum]);
    assert_eq!(right.code, 0, "{}", right.stderr);
}

#[test]
fn a_pinned_version_is_never_another_archive() {
    let place = Place::new();
    assert_eq!(place.signed("owasp-crs", &place.release("4.1.0", "A")).code, 0);
    let output = place.signed("owasp-crs", &place.release("4.1.0", "B"));
    assert!(output.code == 1 && output.stderr.contains("pinned"), "{}", output.stderr);
    let rule = std::fs::read_to_string(place.path("rules/owasp-crs-4.1.0/rules/ONE.conf"));
    assert_eq!(rule.unwrap(), "SecMarker A\n");
}
