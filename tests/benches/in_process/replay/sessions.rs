//! Sessions made up: people who read a shop's pages, search, log in, fill a basket, write.
//!
//! Each has one browser and one session; what all of them share (pages, assets, words of the trade)
//! comes back often, what is their own (tokens, texts) does not.

use super::super::corpus::{Draft, Sample, Values};

/// A person with a browser.
struct User {
    agent: String,
    language: &'static str,
    cookie: String,
    name: String,
    token: String,
    /// Where they are.
    page: String,
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
];
const LANGUAGES: [&str; 4] =
    ["en-GB,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "en-US,en;q=0.5", "fr-FR,fr;q=0.8,en;q=0.6"];
const ASSETS: [&str; 8] = [
    "/static/site.css?v=8f3a1c",
    "/static/app.js?v=8f3a1c",
    "/static/vendor.js?v=77d0e2",
    "/static/fonts/inter.woff2",
    "/static/logo.svg",
    "/static/icons.svg?v=3",
    "/media/banner-summer.webp",
    "/favicon.ico",
];
const SITE: &str = "https://www.example.com";

/// What they send, in the order it comes, and what they get.
pub fn made(users: usize, requests: usize) -> Vec<Sample> {
    let mut values = Values::new(4711);
    let mut people: Vec<User> = (0..users).map(|number| User::new(number, &mut values)).collect();
    let turns = (0..requests).map(|_| {
        let who = values.number(people.len() as u64) as usize;
        people[who].next(&mut values).finish()
    });
    turns.collect()
}

impl User {
    fn new(number: usize, values: &mut Values) -> Self {
        let (first, second) = (values.number(9_999_999), values.number(9_999_999));
        let token = values.token(32);
        Self {
            agent: AGENTS[number % AGENTS.len()].to_owned(),
            language: LANGUAGES[number % LANGUAGES.len()],
            cookie: format!(
                "session={}; csrf={token}; _ga=GA1.2.{first}.17{second}; theme=light; consent=all",
                values.token(40)
            ),
            name: values.word().to_lowercase(),
            token,
            page: "/".to_owned(),
        }
    }

    /// The next thing that this person's browser asks for: of a hundred requests 20 are pages, 45
    /// assets and pictures, 8 searches and 10 suggestions, 10 calls with JSON, 7 forms.
    fn next(&mut self, values: &mut Values) -> Draft {
        match values.number(100) {
            0..20 => self.browse(values),
            20..45 => self.asset(values),
            45..65 => self.picture(values),
            65..73 => self.search(values),
            73..83 => self.suggest(values),
            83..88 => self.basket(values),
            88..93 => self.measured(values),
            93..96 => self.log_in(values),
            96..99 => self.write(values),
            _ => self.upload(values),
        }
    }

    fn browse(&mut self, values: &mut Values) -> Draft {
        let item = often(values, 400);
        let target = match values.number(4) {
            0 => {
                format!("/category/{}?sort=price&page={}", often(values, 20), often(values, 8) + 1)
            }
            1 => "/".to_owned(),
            _ => format!("/item/{item}-lantern-of-paper"),
        };
        let mut draft = self.asks("GET", target.clone(), "document");
        draft.answer("text/html; charset=utf-8", page(values, item));
        self.page = target;
        draft
    }

    fn asset(&mut self, values: &mut Values) -> Draft {
        let path = ASSETS[values.number(ASSETS.len() as u64) as usize];
        let mut draft = self.asks("GET", path.to_owned(), "script");
        draft.answer("application/javascript", b"\"use strict\";".to_vec());
        draft
    }

    fn picture(&mut self, values: &mut Values) -> Draft {
        let (item, width) = (often(values, 400), [320, 640, 1280][values.number(3) as usize]);
        let mut draft = self.asks("GET", format!("/media/items/{item}.webp?w={width}"), "image");
        draft.answer("image/webp", vec![0; 200]);
        draft
    }

    fn search(&mut self, values: &mut Values) -> Draft {
        let count = 1 + values.number(3) as usize;
        let words = values.words(count).replace(' ', "+");
        let target = format!("/search?q={words}&in=all&page={}", often(values, 4) + 1);
        let mut draft = self.asks("GET", target.clone(), "document");
        draft.answer("text/html; charset=utf-8", page(values, 7));
        self.page = target;
        draft
    }

    /// What is asked for while somebody types.
    fn suggest(&mut self, values: &mut Values) -> Draft {
        let word = values.word();
        let typed = &word[..word.len().min(1 + values.number(6) as usize)];
        let mut draft = self.asks("GET", format!("/api/suggest?q={typed}&limit=8"), "empty");
        draft
            .answer("application/json", b"{\"suggestions\":[\"lantern\",\"letter box\"]}".to_vec());
        draft
    }

    fn basket(&mut self, values: &mut Values) -> Draft {
        let (item, count) = (often(values, 400), values.number(4) + 1);
        let body = format!(
            "{{\"items\":[{{\"sku\":\"L-{item:05}\",\"quantity\":{count},\"gift\":false}}],\
             \"currency\":\"EUR\",\"note\":\"{}\"}}",
            values.words(6)
        );
        self.calls("/api/basket", body)
    }

    /// What a page tells of its own speed.
    fn measured(&mut self, values: &mut Values) -> Draft {
        let body = format!(
            "{{\"page\":\"{}\",\"ttfb\":{},\"lcp\":{},\"cls\":0.0{},\"viewport\":\"1440x900\",\
             \"connection\":\"4g\",\"id\":\"{}\"}}",
            self.page,
            values.number(900),
            values.number(4000),
            values.number(99),
            values.token(16),
        );
        self.calls("/api/vitals", body)
    }

    fn log_in(&mut self, values: &mut Values) -> Draft {
        let body = format!(
            "csrf={}&email={}%40mail.example&password={}-{}&remember=on",
            self.token,
            self.name,
            values.word(),
            values.token(5),
        );
        self.posts("/account/login", body)
    }

    /// A review, a hundred words long.
    fn write(&mut self, values: &mut Values) -> Draft {
        let text = (0..12).map(|_| values.words(8).replace(' ', "+")).collect::<Vec<_>>();
        let body = format!(
            "csrf={}&stars={}&title={}&text={}.",
            self.token,
            values.number(5) + 1,
            values.words(3).replace(' ', "+"),
            text.join("%2C+"),
        );
        self.posts(&format!("/item/{}/reviews", often(values, 400)), body)
    }

    fn upload(&mut self, values: &mut Values) -> Draft {
        let boundary = format!("----WebKitFormBoundary{}", values.token(16));
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=");
        let mut body = format!(
            "{part}\"csrf\"\r\n\r\n{}\r\n{part}\"photo\"; filename=\"IMG_{}.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\n",
            self.token,
            values.number(9999),
        )
        .into_bytes();
        body.extend((0..20_000).map(|_| values.number(256) as u8));
        body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        let mut draft = self.asks("POST", "/account/photo".to_owned(), "document");
        draft.body(&format!("multipart/form-data; boundary={boundary}"), body);
        draft
    }

    fn calls(&self, path: &str, body: String) -> Draft {
        let mut draft = self.asks("POST", path.to_owned(), "empty");
        draft.body("application/json", body.into_bytes());
        draft.answer("application/json", b"{\"ok\":true}".to_vec());
        draft
    }

    fn posts(&self, path: &str, body: String) -> Draft {
        let mut draft = self.asks("POST", path.to_owned(), "document");
        draft.body("application/x-www-form-urlencoded", body.into_bytes());
        draft
    }

    /// With the header fields that a browser sends for such a `destination`.
    fn asks(&self, method: &str, target: String, destination: &str) -> Draft {
        let (accept, mode) = match destination {
            "document" => (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                "navigate",
            ),
            "image" => {
                ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "no-cors")
            }
            "empty" => ("application/json, text/plain, */*", "cors"),
            _ => ("*/*", "no-cors"),
        };
        let mut headers = vec![
            ("Host", "www.example.com".to_owned()),
            ("User-Agent", self.agent.clone()),
            ("Accept", accept.to_owned()),
            ("Accept-Language", self.language.to_owned()),
            ("Accept-Encoding", "gzip, deflate, br".to_owned()),
            ("Referer", format!("{SITE}{}", self.page)),
            ("Cookie", self.cookie.clone()),
            ("Connection", "keep-alive".to_owned()),
            ("Sec-Fetch-Dest", destination.to_owned()),
            ("Sec-Fetch-Mode", mode.to_owned()),
            ("Sec-Fetch-Site", "same-origin".to_owned()),
        ];
        if method == "POST" {
            headers.push(("Origin", SITE.to_owned()));
        }
        if destination == "empty" {
            headers.push(("X-CSRF-Token", self.token.clone()));
        }
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Draft::bare(method, target, headers)
    }
}

/// Below `end`, small numbers far oftener than large ones: what is liked is liked by many.
fn often(values: &mut Values, end: u64) -> u64 {
    let first = values.number(end) + 1;
    values.number(first)
}

/// Some twelve kilobytes, half of them the same on every page.
fn page(values: &mut Values, item: u64) -> Vec<u8> {
    let mut page = format!("<!doctype html><html><head><title>Item {item}</title></head><body>");
    (0..60)
        .for_each(|at| page += &format!("<li><a href=\"/category/{at}\">Category {at}</a></li>\n"));
    while page.len() < 12_000 {
        page += &format!("<p class=\"text\">{}</p>\n", values.words(12));
    }
    (page + "</body></html>").into_bytes()
}
