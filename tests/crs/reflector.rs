//! The server behind the tests: it answers what a request's body tells it to (`/reflect`), and 200
//! to everything else.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Starts it on a port of its own; it ends with the process.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (line, fields) = head(&mut reader)?;
        let body = body(&mut reader, &fields)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let path = target.split(['?', '#']).next()?;
        let reflects = method == "POST" && (path == "/reflect" || path.starts_with("/reflect/"));
        let answer = if reflects { reflection(&body) } else { response(200, &[], b"") };
        let answer = if method == "HEAD" { up_to_body(answer) } else { answer };
        writer.write_all(&answer).ok()?;
        if line.ends_with("HTTP/1.0") {
            return None;
        }
    }
}

fn head(reader: &mut impl std::io::BufRead) -> Option<(String, Vec<(String, String)>)> {
    let line = line(reader)?;
    let mut fields = Vec::new();
    loop {
        let field = self::line(reader)?;
        if field.is_empty() {
            return Some((line, fields));
        }
        let (name, value) = field.split_once(':')?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl std::io::BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

fn body(reader: &mut impl std::io::BufRead, fields: &[(String, String)]) -> Option<Vec<u8>> {
    let get = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
    let mut body = Vec::new();
    if get("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(line(reader)?.split(';').next()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                return Some(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    let length: u64 = get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    reader.take(length).read_to_end(&mut body).ok()?;
    Some(body)
}

fn reflection(body: &[u8]) -> Vec<u8> {
    // Control characters inside strings are let pass, as the original server does.
    let cleaned: Vec<u8> =
        body.iter().map(|byte| if *byte < b' ' { b' ' } else { *byte }).collect();
    let Ok(Value::Object(spec)) = serde_json::from_slice::<Value>(&cleaned) else {
        return response(400, &[], b"Invalid JSON in request body");
    };
    let fields: Vec<(String, String)> = match spec.get("headers") {
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
            .collect(),
        _ => Vec::new(),
    };
    let text = |key: &str| spec.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let body = match (text("body"), text("encodedBody")) {
        (Some(body), _) => body.as_bytes().to_vec(),
        (None, Some(encoded)) => STANDARD.decode(encoded).expect("base64"),
        (None, None) => Vec::new(),
    };
    let status = spec.get("status").and_then(Value::as_u64).unwrap_or(200);
    response(status as u16, &fields, &body)
}

fn response(status: u16, fields: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Reflected\r\n");
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    // As the original server guesses.
    if !body.is_empty() && !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        head += "Content-Type: text/plain; charset=utf-8\r\n";
    }
    let mut answer = (head + &format!("Content-Length: {}\r\n\r\n", body.len())).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn up_to_body(mut answer: Vec<u8>) -> Vec<u8> {
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").expect("it has a head");
    answer.truncate(end + 4);
    answer
}
