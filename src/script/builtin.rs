//! The modules that are built in: Lua text, as an operator's own.

/// Their names, in order.
pub const NAMES: &[&str] = &[
    "api_key",
    "basic_auth",
    "body_rewrite",
    "ip_admission",
    "jwt",
    "request_id",
    "security_headers",
];

/// The text of the built-in module of that name.
pub fn builtin(name: &str) -> Option<&'static str> {
    Some(match name {
        "api_key" => include_str!("../../lua/modules/api_key.lua"),
        "basic_auth" => include_str!("../../lua/modules/basic_auth.lua"),
        "body_rewrite" => include_str!("../../lua/modules/body_rewrite.lua"),
        "ip_admission" => include_str!("../../lua/modules/ip_admission.lua"),
        "jwt" => include_str!("../../lua/modules/jwt.lua"),
        "request_id" => include_str!("../../lua/modules/request_id.lua"),
        "security_headers" => include_str!("../../lua/modules/security_headers.lua"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{NAMES, builtin};

    #[test]
    fn every_file_among_the_modules_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/lua/modules");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
        files.sort_unstable();
        let named: Vec<String> = NAMES.iter().map(|name| format!("{name}.lua")).collect();
        assert_eq!(files, named);
        assert!(NAMES.iter().all(|name| builtin(name).is_some()));
    }
}
