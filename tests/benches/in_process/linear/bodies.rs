//! Bodies of any size, each kind with as much of one thing as can be.

use super::super::corpus::{Draft, Sample, Values};

/// A kind of body.
pub struct Kind {
    pub name: &'static str,
    media_type: &'static str,
    /// Writes so many bytes, about.
    write: fn(&mut Values, usize) -> Vec<u8>,
}

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
const RESPONSE: &str = "response";

/// All of them.
pub const KINDS: &[Kind] = &[
    Kind { name: "form-fields", media_type: FORM, write: many_fields },
    Kind { name: "form-value", media_type: FORM, write: one_field },
    Kind { name: "json-leaves", media_type: "application/json", write: many_leaves },
    Kind { name: "json-string", media_type: "application/json", write: one_string },
    Kind { name: "multipart-fields", media_type: MULTIPART, write: parts },
    Kind { name: "multipart-file", media_type: MULTIPART, write: file },
    Kind { name: "xml-elements", media_type: "text/xml", write: elements },
    Kind { name: "xml-entities", media_type: "text/xml", write: entities },
    Kind { name: "text", media_type: "text/plain", write: text },
    Kind { name: "html-response", media_type: RESPONSE, write: page },
];

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW";

impl Kind {
    /// A request with such a body, or with a response that has one.
    pub fn sample(&self, size: usize) -> Sample {
        let mut values = Values::new(size as u64);
        let body = (self.write)(&mut values, size);
        let mut draft = Draft::new("POST", "/import/42".to_owned(), &mut values);
        if self.media_type == RESPONSE {
            draft.answer("text/html; charset=utf-8", body);
        } else {
            draft.body(self.media_type, body);
        }
        draft.finish()
    }
}

fn many_fields(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "", "", |at| {
        let mark = if at == 0 { "" } else { "&" };
        format!("{mark}{}={}", values.name(), values.words(3).replace(' ', "+"))
    })
}

fn one_field(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "comment=", "", |_| values.words(9).replace(' ', "+") + "+")
}

fn many_leaves(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "[", "]", |at| {
        let mark = if at == 0 { "" } else { "," };
        format!(
            "{mark}{{\"name\":\"{}\",\"{}\":{}}}",
            values.words(3),
            values.name(),
            values.number(1000)
        )
    })
}

fn one_string(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "{\"note\":\"", "\"}", |_| values.words(9) + " ")
}

fn parts(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "", &format!("--{BOUNDARY}--\r\n"), |_| {
        let (name, value) = (values.name(), values.words(5));
        let head = format!("Content-Disposition: form-data; name=\"{name}\"");
        format!("--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n")
    })
}

fn file(values: &mut Values, size: usize) -> Vec<u8> {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\
         Content-Type: image/png\r\n\r\n"
    )
    .into_bytes();
    body.extend((0..size).map(|_| values.number(256) as u8));
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    body
}

fn elements(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "<?xml version=\"1.0\"?><orders>", "</orders>", |_| {
        let (id, name) = (values.token(6), values.words(3));
        format!("<order id=\"{id}\"><name>{name}</name></order>")
    })
}

/// What takes ModSecurity 40 s for 549 kB.
fn entities(_: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "<?xml version=\"1.0\"?><a>", "</a>", |_| "&gt;".to_owned())
}

fn text(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "", "", |_| values.words(9) + ".\n")
}

fn page(values: &mut Values, size: usize) -> Vec<u8> {
    repeated(size, "<!doctype html><html><body><table>", "</table></body></html>", |_| {
        let (id, name, price) = (values.token(6), values.words(8), values.number(1000));
        format!("<tr class=\"item\"><td>{id}</td><td>{name}</td><td>{price}</td></tr>\n")
    })
}

/// As many pieces as fit; each is told its number.
fn repeated(
    size: usize,
    begin: &str,
    end: &str,
    mut piece: impl FnMut(usize) -> String,
) -> Vec<u8> {
    let mut body = begin.to_owned();
    let mut at = 0;
    while at == 0 || body.len() + end.len() < size {
        body += &piece(at);
        at += 1;
    }
    body += end;
    body.into_bytes()
}
