//! The generated pages in docs/: each is what the lists in the code say, and `UPDATE_DOCS=1` writes
//! them anew.

use std::path::Path;

use moongate::cli::docs::PAGES;

#[test]
fn every_generated_page_in_docs_is_what_the_lists_say() {
    let mut stale = Vec::new();
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page.name);
        let text = (page.text)();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(page.name);
        }
    }
    assert!(PAGES.len() >= 9);
    assert_eq!(stale, [""; 0], "run the tests with UPDATE_DOCS=1");
}

#[test]
fn every_generated_page_is_linked_from_another() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let texts = ["architecture.md", "contributing.md", "seclang.md"];
    let texts = texts.map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).concat();
    for page in PAGES {
        assert!(texts.contains(&format!("({})", page.name)), "{}", page.name);
    }
}
