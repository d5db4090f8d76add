//! Who answers in a location: a script, an upstream, or a file.

use serde_json::{Map, Value, json};

use super::location::Place;
use super::scope::Scope;
use super::tree::Directive;
use super::{Emerg, echo, memc, proxy, scripts};

/// Puts who answers into a route.
pub(super) fn put(
    place: &mut Place<'_, '_>,
    scope: &Scope<'_>,
    route: &mut Map<String, Value>,
) -> Result<(), Emerg> {
    let own = scope.own;
    if let Some(script) = own.iter().rfind(|directive| scripts::is_of(&directive.name, "content")) {
        scripts::put_one(script, "content", place.top.prefix, route);
        return Ok(());
    }
    if let Some(code) = echo::script(own)? {
        let first = own.iter().find(|directive| directive.name.starts_with("echo"));
        let line = first.map_or(0, |directive| directive.line);
        let name = format!("echo(nginx.conf:{line})");
        route.insert("content_by_lua_block".into(), json!({ "name": name, "code": code }));
        return Ok(());
    }
    if let Some(pass) = own.iter().rfind(|directive| directive.name == "memc_pass") {
        let name = format!("memc_pass(nginx.conf:{})", pass.line);
        let code = memc::script(place, pass, scope)?;
        route.insert("content_by_lua_block".into(), json!({ "name": name, "code": code }));
        // As for other upstreams, a client that leaves the slash at its end out is sent there.
        route.insert("forward".into(), json!({ "authority": pass.arg(0) }));
        return Ok(());
    }
    if let Some(pass) = own.iter().rfind(|directive| directive.name == "proxy_pass") {
        return proxy::put(place, pass, scope, route);
    }
    route.insert("files".into(), files(place, scope)?);
    Ok(())
}

/// Where the files of a location are.
fn files(place: &Place<'_, '_>, scope: &Scope<'_>) -> Result<Value, Emerg> {
    let mut files = Map::new();
    let own = |name: &str| scope.own.iter().rfind(|directive| directive.name == name);
    if let (Some(alias), None) = (own("alias"), own("root")) {
        files.insert("alias".into(), json!(absolute(place, alias.arg(0))));
        if let Some(prefix) = &place.prefix {
            files.insert("strip".into(), json!(prefix));
        }
    } else {
        let root = scope.get("root").map_or("html", |root| root.arg(0));
        files.insert("root".into(), json!(absolute(place, root)));
    }
    let index: Vec<String> = match scope.get("index") {
        Some(index) => index.args.clone(),
        None => vec!["index.html".to_owned()],
    };
    files.insert("index".into(), json!(index));
    if let Some(tried) = scope.all("try_files").last() {
        files.insert("try".into(), json!(tried.args));
    }
    if let Some(types) = scope.get("types") {
        files.insert("types".into(), json!(media_types(types)));
    }
    if !scope.flag("etag", true) {
        files.insert("etag".into(), json!(false));
    }
    Ok(Value::Object(files))
}

/// `text/html html htm;`: endings by type.
fn media_types(types: &Directive) -> Map<String, Value> {
    let mut known = Map::new();
    for line in &types.block {
        for ending in &line.args {
            known.insert(ending.to_ascii_lowercase(), json!(line.name));
        }
    }
    known
}

fn absolute(place: &Place<'_, '_>, path: &str) -> String {
    if path.starts_with(['/', '$']) {
        return path.to_owned();
    }
    place.top.prefix.join(path).to_string_lossy().into_owned()
}
