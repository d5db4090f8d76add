//! Rows of the token file.

use super::row;
use crate::config::settings::Shape::{Choice, Text};
use crate::config::settings::Table;

/// One entry of the file that `admin.tokens` names.
pub static TOKEN: Table = Table {
    place: "tokens[]",
    doc: "One token of the file that `admin.tokens` names, a list; `moongate tokens` writes it.",
    shared: None,
    rows: &[
        row("name", Text, "", "ci", "Whose it is or what for; the audit log calls it so."),
        row(
            "role",
            Choice(&["read", "publish", "activate", "admin"]),
            "",
            "publish",
            "What it is good for; each includes those before it.",
        ),
        row("owner", Text, "", "team-a", "Whose things it may touch; without it everybody's."),
        row(
            "sha256",
            Text,
            "",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "SHA-256 of the token in hex: the token itself is nowhere.",
        ),
        row("created_at", Text, "", "2026-03-01T12:00:00Z", "Since when."),
        row("expires_at", Text, "", "2026-06-01T12:00:00Z", "Until when; without it for good."),
    ],
};
