//! A database of places in MaxMind's format, with one network in it: made here, so that it can be
//! read.

/// `192.0.2.0/24` is in Berlin; of no other address is anything known.
pub fn database() -> Vec<u8> {
    let prefix = [192, 0, 2];
    let nodes = 8 * prefix.len();
    let mut database = Vec::new();
    for depth in 0..nodes {
        let one = prefix[depth / 8] >> (7 - depth % 8) & 1 == 1;
        // What comes after the tree is counted from its number of nodes on, and 16 empty bytes.
        let next = if depth + 1 == nodes { nodes + 16 } else { depth + 1 };
        let (left, right) = if one { (nodes, next) } else { (next, nodes) };
        for record in [left, right] {
            database.extend_from_slice(&(record as u32).to_be_bytes()[1..]);
        }
    }
    database.extend([0; 16]);
    database.extend(berlin());
    database.extend(b"\xab\xcd\xefMaxMind.com");
    database.extend(metadata(nodes as u32));
    database
}

fn berlin() -> Vec<u8> {
    let names = |name| map(&[("en", text(name))]);
    map(&[
        ("city", map(&[("names", names("Berlin"))])),
        ("continent", map(&[("code", text("EU")), ("names", names("Europe"))])),
        ("country", map(&[("iso_code", text("DE")), ("names", names("Germany"))])),
        ("location", map(&[("latitude", double(52.5)), ("longitude", double(13.25))])),
        ("postal", map(&[("code", text("10115"))])),
        ("subdivisions", array(&[map(&[("iso_code", text("BE"))])])),
    ])
}

fn metadata(nodes: u32) -> Vec<u8> {
    map(&[
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        ("build_epoch", vec![0x01, 0x02, 1]),
        ("database_type", text("Test-City")),
        ("description", map(&[("en", text("One network"))])),
        ("ip_version", short(4)),
        ("languages", array(&[text("en")])),
        ("node_count", [&[0xc4], nodes.to_be_bytes().as_slice()].concat()),
        ("record_size", short(24)),
    ])
}

/// All below 29 bytes: longer ones have their length elsewhere.
fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29);
    [&[0x40 | text.len() as u8], text.as_bytes()].concat()
}

fn double(number: f64) -> Vec<u8> {
    [&[0x68], number.to_be_bytes().as_slice()].concat()
}

fn short(number: u16) -> Vec<u8> {
    [&[0xa2], number.to_be_bytes().as_slice()].concat()
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut map = vec![0xe0 | members.len() as u8];
    for (name, value) in members {
        map.extend(text(name));
        map.extend(value);
    }
    map
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [&[items.len() as u8, 0x04], items.concat().as_slice()].concat()
}
