//! Rows of `tls`.

use super::row;
use crate::config::settings::Shape::{Choice, Other, Path, Texts};
use crate::config::settings::Table;

/// How a listening address or a site speaks TLS.
pub static TLS: Table = Table {
    place: "listen[].tls",
    doc: "How a listening address speaks TLS, HTTP/1.1 within. A site may have its own `tls`, which serves clients that name one of its hosts. Files are read again with the settings: a bad one leaves the last good in force.",
    shared: None,
    rows: &[
        row(
            "certificate",
            Path,
            "",
            "tls/shop.pem",
            "The certificate, and those that lead to whoever is trusted, in PEM. Without one a site or a script must have one.",
        ),
        row("key", Path, "", "tls/shop.key", "Its private key, in PEM, without a passphrase."),
        row(
            "certificates",
            Other("a list of mappings"),
            "",
            "[{ certificate: tls/a.pem, key: tls/a.key, names: [a.example] }]",
            "More of them: the first whose names a client asks for is shown.",
        ),
        row(
            "protocols",
            Other("`TLSv1.2`, `TLSv1.3` or a list of them"),
            "[TLSv1.2, TLSv1.3]",
            "[TLSv1.3]",
            "The versions that are spoken.",
        ),
        row(
            "client_ca",
            Path,
            "",
            "tls/clients.pem",
            "Who signs the certificates of clients, in PEM.",
        ),
        row(
            "verify_client",
            Choice(&["off", "optional", "require", "ask"]),
            "off",
            "ask",
            "Whether clients must have a certificate; without one that will do the handshake fails. `ask`: it goes on, and scripts see in `ngx.var.ssl_client_verify` what the certificate is worth.",
        ),
    ],
};

/// One certificate.
pub static CERTIFICATE: Table = Table {
    place: "listen[].tls.certificates[]",
    doc: "A certificate among others.",
    shared: None,
    rows: &[
        row(
            "certificate",
            Path,
            "",
            "tls/a.pem",
            "The certificate, and those that lead on, in PEM.",
        ),
        row("key", Path, "", "tls/a.key", "Its private key, in PEM."),
        row(
            "names",
            Texts,
            "",
            "[a.example, \"*.a.example\"]",
            "The hosts for which it is shown; without them those that it names itself.",
        ),
    ],
};
