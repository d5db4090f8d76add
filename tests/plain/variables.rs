//! What each variable holds, read anew each time it is asked for.

use base64::Engine as _;
use moongate::detection::variables::Variable;
use moongate::transaction::args::cookies;
use moongate::transaction::{Headers, reason};

use super::bodies::media_type;
use super::choose::value;
use super::evaluator::Run;
use super::state::Value;

impl Run<'_> {
    /// All that a variable holds, in order.
    pub fn read(&self, variable: Variable) -> Vec<Value> {
        let pairs = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
            pairs.iter().map(|(name, text)| value(variable, Some(name), text)).collect()
        };
        if let Some(collection) = self.collection(variable) {
            return pairs(collection);
        }
        if let Some(collection) = self.names_of(variable) {
            let names = self.collection(collection).unwrap_or_default();
            return pairs(names.into_iter().map(|(name, _)| (name.clone(), name)).collect());
        }
        let single = self.of_request(variable).or_else(|| self.of_body(variable));
        let single = single.or_else(|| self.of_response(variable));
        match single {
            Some(single) => single.into_iter().map(|it| value(variable, None, &it)).collect(),
            None => self.of_rules(variable),
        }
    }

    fn names_of(&self, variable: Variable) -> Option<Variable> {
        Some(match variable {
            Variable::ArgsGetNames => Variable::ArgsGet,
            Variable::ArgsNames => Variable::Args,
            Variable::ArgsPostNames => Variable::ArgsPost,
            Variable::FilesNames => Variable::Files,
            Variable::RequestCookiesNames => Variable::RequestCookies,
            Variable::RequestHeadersNames => Variable::RequestHeaders,
            Variable::ResponseHeadersNames => Variable::ResponseHeaders,
            _ => return None,
        })
    }

    /// Names and texts; none: it is not such a variable.
    fn collection(&self, variable: Variable) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let bodies = self.bodies;
        let owned = |(name, text): (&[u8], &[u8])| (name.to_vec(), text.to_vec());
        let files = bodies.parsed.files.iter();
        Some(match variable {
            Variable::Args => {
                bodies.query.args.iter().chain(bodies.parsed.args.iter()).map(owned).collect()
            }
            Variable::ArgsGet => bodies.query.args.iter().map(owned).collect(),
            Variable::ArgsPost => bodies.parsed.args.iter().map(owned).collect(),
            Variable::Files | Variable::MultipartFilename => {
                files.map(|file| (file.name.to_vec(), file.filename.to_vec())).collect()
            }
            Variable::FilesSizes => {
                files.map(|file| (file.name.to_vec(), file.size.to_string().into())).collect()
            }
            Variable::FilesTmpContent => {
                files.map(|file| (file.name.to_vec(), file.content.to_vec())).collect()
            }
            // Nothing is written to disk.
            Variable::FilesTmpNames => Vec::new(),
            Variable::MultipartName => {
                let fields =
                    bodies.parsed.args.iter().filter(|_| bodies.parsed.multipart.is_some());
                let names = fields.map(|(name, _)| name.to_vec());
                names
                    .chain(files.map(|file| file.name.to_vec()))
                    .map(|it| (it.clone(), it))
                    .collect()
            }
            Variable::MultipartPartHeaders => {
                bodies.parsed.part_headers.iter().map(owned).collect()
            }
            Variable::RequestCookies => {
                let fields = self.transaction.request.headers.get_all("cookie");
                let all =
                    fields.flat_map(|field| cookies(field).iter().map(owned).collect::<Vec<_>>());
                all.take(self.plan.settings.arguments).collect()
            }
            Variable::RequestHeaders => pairs(&self.transaction.request.headers),
            Variable::ResponseHeaders => {
                let response = self.transaction.response.as_ref();
                response.map(|response| pairs(&response.headers)).unwrap_or_default()
            }
            _ => return None,
        })
    }

    fn of_request(&self, variable: Variable) -> Option<Option<Vec<u8>>> {
        let (request, client) = (&self.transaction.request, &self.transaction.client);
        Some(match variable {
            Variable::AuthType => self.authorization().map(|(scheme, _)| scheme),
            Variable::PathInfo | Variable::RequestFilename => Some(decoded(&request.path)),
            Variable::QueryString => Some(request.query.as_deref().unwrap_or_default().to_vec()),
            Variable::RemoteAddr | Variable::RemoteHost => {
                Some(client.address.to_canonical().to_string().into())
            }
            Variable::RemotePort => Some(client.port.to_string().into()),
            Variable::RemoteUser => self.authorization().and_then(user),
            Variable::RequestBasename => {
                let path = decoded(&request.path);
                let last = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next();
                last.map(<[u8]>::to_vec)
            }
            Variable::RequestLine => Some(self.line().unwrap_or_else(|| {
                let version = request.version.as_str().as_bytes();
                [&request.method[..], &request.original_target[..], version].join(&b' ')
            })),
            Variable::RequestMethod => Some(request.method.to_vec()),
            Variable::RequestProtocol => Some(self.protocol()),
            Variable::RequestUri => Some(request.target().to_vec()),
            Variable::RequestUriRaw => Some(self.raw_target()),
            Variable::ServerAddr => Some(client.server.ip().to_canonical().to_string().into()),
            Variable::ServerName => request.host().map(|host| host.into_owned().into_bytes()),
            Variable::ServerPort => Some(client.server.port().to_string().into()),
            Variable::UniqueId => Some(self.transaction.id.to_string().into()),
            Variable::WebAppId => Some(self.plan.settings.web_app_id.clone().into()),
            _ => return None,
        })
    }

    fn of_response(&self, variable: Variable) -> Option<Option<Vec<u8>>> {
        let response = self.transaction.response.as_ref();
        let protocol = self.transaction.request.version.as_str();
        let field = |name| response.and_then(|response| response.headers.get(name));
        Some(match variable {
            Variable::OutboundDataError => {
                Some(u8::from(self.bodies.response_cut).to_string().into())
            }
            Variable::ResponseBody => self.bodies.response.clone(),
            Variable::ResponseContentLength => {
                let seen = self.bodies.response.as_ref().filter(|_| response.is_some());
                let seen = seen.map(|body| body.len().to_string().into());
                field("content-length").map(|field| field.to_vec()).or(seen)
            }
            Variable::ResponseContentType => response.map(|_| {
                field("content-type").map(|field| media_type(field).to_vec()).unwrap_or_default()
            }),
            Variable::ResponseProtocol => response.map(|_| protocol.into()),
            Variable::ResponseStatus => response.map(|it| it.status.to_string().into()),
            Variable::StatusLine => response.map(|response| {
                let status = response.status;
                format!("{protocol} {status} {}", reason(status)).into()
            }),
            _ => return None,
        })
    }

    fn authorization(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let field = self.transaction.request.headers.get("authorization")?;
        let mut halves = field.splitn(2, |byte| *byte == b' ');
        let mut half = || halves.next().unwrap_or_default().to_vec();
        Some((half(), half().trim_ascii().to_vec()))
    }

    /// As received.
    fn line(&self) -> Option<Vec<u8>> {
        let head = &self.transaction.request.raw_head;
        let line = head.split(|byte| *byte == b'\n').next().filter(|line| !line.is_empty())?;
        Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
    }

    /// What stands between the first and the last blank of the line.
    fn raw_target(&self) -> Vec<u8> {
        let line = self.line().unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        match &words[..] {
            [_, target @ .., _] if !target.is_empty() => target.join(&b' '),
            _ => self.transaction.request.original_target.to_vec(),
        }
    }

    fn protocol(&self) -> Vec<u8> {
        let line = self.line().unwrap_or_default();
        let word = line.split(|byte| *byte == b' ').next_back().unwrap_or_default();
        let known = self.transaction.request.version.as_str().as_bytes();
        if word.starts_with(b"HTTP/") { word.to_vec() } else { known.to_vec() }
    }
}

fn user((scheme, credentials): (Vec<u8>, Vec<u8>)) -> Option<Vec<u8>> {
    let decoded = base64::prelude::BASE64_STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    scheme.eq_ignore_ascii_case(b"basic").then(|| decoded[..colon].to_vec())
}

fn pairs(headers: &Headers) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers.iter().map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// Percent-decoded once; what is no escape stays.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escape = digits.filter(|_| *byte == b'%');
        out.push(escape.map_or(*byte, |digits| {
            u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()
        }));
        rest = if escape.is_some() { &after[2..] } else { after };
    }
    out
}
