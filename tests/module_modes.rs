//! Modules of the settings that run without effect, for a share, or not at all, route by route; and
//! what is told of modules.

use serde_json::Value;

use crate::support::{ADMIN_TOKEN, Answer, DEADLINE, Moongate, Upstream, command, wait_until};

/// Would refuse, write, and change all there is to change.
const MEDDLES: &str = r#"
return {
  schema = { status = { type = "integer", default = 403 } },
  rewrite = function()
    ngx.req.set_header("X-Meddled", "yes")
    ngx.shared.d:set("written", 1)
    ngx.ctx.seen = "rewrite"
  end,
  access = function(settings)
    ngx.header["X-Seen"] = ngx.ctx.seen
    if ngx.var.arg_bad then return ngx.exit(settings.status) end
  end,
  header_filter = function() ngx.header["X-Filtered"] = "yes" end,
  body_filter = function() ngx.arg[1] = string.upper(ngx.arg[1]) end,
  log = function() if ngx.var.arg_fail then error("in the log") end end,
}"#;
const PEEK: &str = "ngx.print(tostring(ngx.shared.d:get('written')))";

fn config(routes: &str) -> String {
    format!(
        "lua: {{ shared_dict: {{ d: 1MiB }} }}\nroutes:\n  - match: {{ path: /peek }}\n    \
         content_by_lua_block: \"{PEEK}\"\n{routes}"
    )
}

fn node(upstream: &Upstream, routes: &str) -> Moongate {
    Moongate::with_upstream(upstream, &config(routes))
        .file("lua/modules/meddles.lua", MEDDLES)
        .start()
}

fn modules(node: &Moongate) -> Value {
    node.ask_admin("GET", "/modules").json()
}

/// Waits until so many moments were compared; what came of it.
fn differences(node: &Moongate, moments: u64, route: &str) -> Value {
    let path = format!("/modules/meddles/differences?limit=100{route}");
    let ask = || node.ask_admin("GET", &path).json();
    let number = |told: &Value, name: &str| told["summary"][name].as_u64().unwrap();
    let all = |told: Value| number(&told, "compared") + number(&told, "left_out") >= moments;
    assert!(wait_until(DEADLINE, || all(ask())), "{}", ask());
    ask()
}

#[test]
fn what_a_module_without_effect_would_have_done_is_told_and_not_done() {
    let upstream = Upstream::start();
    let shadow = "  - match: { path: /shop }\n    name: shop\n    \
                  modules: [{ module: meddles, mode: shadow }]\n";
    let node = node(&upstream, shadow);
    let plain = node.get("/shop");
    assert_eq!((plain.status, plain.text().as_str()), (200, "hello"));
    assert_eq!(plain.header("content-length"), Some("5"), "it passes as if nobody looked");
    assert_eq!((plain.header("x-seen"), plain.header("x-filtered")), (None, None));
    assert_eq!(upstream.last().header("x-meddled"), None);
    let told = differences(&node, 5, "");
    let of = |told: &Value, phase: &str| {
        let last = told["last"].as_array().unwrap();
        last.iter().find(|one| one["phase"] == phase).cloned().unwrap_or_default()
    };
    assert_eq!(of(&told, "rewrite")["what"][0], "headers", "{told}");
    let request = of(&told, "rewrite")["candidate"]["headers"].to_string();
    assert!(request.contains(r#"["request x-meddled","yes"]"#), "{request}");
    let staged = of(&told, "access")["candidate"]["headers"].to_string();
    assert!(staged.contains(r#"["x-seen","rewrite"]"#), "`ngx.ctx` goes on: {staged}");
    let filtered = of(&told, "header_filter")["candidate"]["headers"].to_string();
    assert!(filtered.contains("x-filtered"), "{filtered}");
    let body = of(&told, "body_filter");
    assert_eq!((&body["what"][0], &body["live"]["body_bytes"]), (&"body".into(), &5.into()));
    assert_eq!(of(&told, "log"), Value::Null, "it would have changed nothing");
    assert_eq!(body["route"], "shop");
    assert_eq!(node.get("/peek").text(), "nil", "nothing is written");

    let refused = node.get("/shop?bad=1");
    assert_eq!((refused.status, refused.text().as_str()), (200, "hello"));
    // `rewrite`, `access` and `log`: it would not have come to the others.
    let told = differences(&node, 8, "");
    assert_eq!(told["last"][0]["candidate"]["status"], 403, "{told}");
    assert_eq!((&told["summary"]["status"], &told["summary"]["compared"]), (&1.into(), &8.into()));
    node.get("/shop?fail=1");
    let told = differences(&node, 13, "&route=shop");
    let error = told["last"][0]["candidate"]["error"].as_str().unwrap();
    assert!(error.contains("in the log"), "{error}");
    node.wait_for_log("meddles (shadow)");
}

#[test]
fn how_far_a_module_counts_is_said_for_each_route() {
    let upstream = Upstream::start();
    let routes = "  - match: { path: /on }\n    access: [meddles]\n  \
        - match: { path: /off }\n    access: [{ module: meddles, mode: off }]\n  \
        - match: { path: /some }\n    access: [{ module: meddles, mode: sample 25% }]\n";
    let node = node(&upstream, routes);
    assert_eq!(node.get("/on?bad=1").status, 403);
    assert_eq!(node.get("/off?bad=1").status, 200);
    let mut client = node.connect();
    for _ in 0..400 {
        assert_eq!(client.ask("/some?bad=1").read().status, 200);
    }
    let told = differences(&node, 55, "");
    let drawn = told["summary"]["compared"].as_u64().unwrap()
        + told["summary"]["left_out"].as_u64().unwrap();
    // 100 on average; 8.7 is the standard deviation.
    assert!((55..145).contains(&drawn), "{drawn}");
    let told = modules(&node);
    let attached = told[0]["attached"].as_array().unwrap();
    let modes: Vec<&str> = attached.iter().map(|one| one["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["enforce", "off", "sample"], "{told}");
    assert_eq!(attached[2]["percent"], 25.0);
    let refused = node.ask_admin("GET", "/modules/none");
    assert_eq!(refused.status, 404, "{}", refused.text());
}

#[test]
fn who_holds_which_version_of_a_module_since_when_is_told() {
    let upstream = Upstream::start();
    let node = node(&upstream, "  - access: [meddles]\n");
    node.get("/?bad=1");
    node.get("/");
    let told = modules(&node)[0].clone();
    let sum = |told: &Value, key: &str| -> u64 {
        let workers = told["workers"].as_array().unwrap().iter();
        workers.map(|worker| worker[key].as_u64().unwrap()).sum()
    };
    assert_eq!(told["workers"].as_array().unwrap().len(), 2);
    assert!(told["workers"].as_array().unwrap().iter().all(|worker| worker["holds"] == true));
    assert_eq!((sum(&told, "calls"), sum(&told, "blocks"), sum(&told, "errors")), (2, 1, 0));
    assert!(sum(&told, "memory_bytes") > 10_000);

    node.edit("lua/modules/meddles.lua", MEDDLES.replace("403", "404"));
    node.reload();
    let digest = || modules(&node)[0]["digest"].clone();
    assert!(wait_until(DEADLINE, || digest() != told["digest"]), "{}", modules(&node));
    let next = modules(&node)[0].clone();
    assert!(next["since"].as_str() > told["since"].as_str(), "{next}");
    assert_eq!(modules(&node).as_array().unwrap().len(), 1, "the version before is gone");
    assert_eq!(sum(&next, "calls"), 0);

    node.edit("token", ADMIN_TOKEN);
    let (admin, token) = (node.admin.to_string(), node.path("token"));
    let table =
        command(&["modules", "status", "--admin", &admin, "--token-file", token.to_str().unwrap()]);
    assert_eq!(table.code, 0, "{table:?}");
    let digest = next["digest"].as_str().unwrap();
    assert!(table.stdout.contains(&format!("meddles  {}", &digest[..12])), "{}", table.stdout);
}

#[test]
fn what_a_mode_cannot_be_is_told() {
    let routes = "  - access: [{ module: meddles, mode: smaple 5% }]\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("lua/modules")).unwrap();
    std::fs::write(folder.path().join("lua/modules/meddles.lua"), MEDDLES).unwrap();
    let file = folder.path().join("moongate.yaml");
    std::fs::write(&file, format!("upstreams: {{ app: 127.0.0.1:1 }}\n{}", config(routes)))
        .unwrap();
    let checked = command(&["check", "-c", file.to_str().unwrap()]);
    assert_eq!(checked.code, 1);
    assert!(checked.stdout.contains("sample 5%"), "{checked:?}");
}

#[test]
fn a_module_without_effect_that_answers_leaves_the_answer_to_the_upstream() {
    let upstream = Upstream::start();
    upstream.answer("/x", Answer::text("from the upstream"));
    let answers = "return { content = function() ngx.print('mine') end }";
    let config = config("  - content: [{ module: answers, mode: shadow }]\n");
    let node = Moongate::with_upstream(&upstream, &config);
    let node = node.file("lua/modules/answers.lua", answers).start();
    assert_eq!(node.get("/x").text(), "from the upstream");
    let ask = || node.ask_admin("GET", "/modules/answers/differences").json();
    assert!(wait_until(DEADLINE, || ask()["summary"]["differing"] == 1), "{}", ask());
    let last = ask()["last"][0].clone();
    assert_eq!(
        (&last["candidate"]["status"], &last["candidate"]["body_bytes"]),
        (&200.into(), &4.into())
    );
    assert_eq!(last["live"]["ended"], "declined");
}
