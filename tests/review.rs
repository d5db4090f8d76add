//! What `moongate check` says of scripts that ask for what is not here.

use std::process::Command;

const SETTINGS: &str = r#"
upstreams: { app: "127.0.0.1:3000" }
routes:
  - match: { path: "exact:/a" }
    header_filter_by_lua_block: |
      ngx.say("too late")
  - match: { path: "exact:/b" }
    content_by_lua_block: |
      local ffi = require "ffi"
      local helper = require("shop.helper")
      ngx.nothing.at_all()
      os.execute("ls")
  - match: { path: "exact:/c" }
    content_by_lua_block: |
      local cjson, shop = require "cjson.safe", shop
      local ok, lpeg = pcall(require, "lpeg")
      ngx.timer.at(0, function() ngx.sleep(1) end)
      if ngx.shared.none then ngx.ctx.x = ngx.status end
      ngx.say(ngx.var.uri, ngx.header.x, ngx.config.prefix(), ngx.HTTP_OK, ngx.null, bit.bor(1, 2))
      made = 1 made = made + 1
      table.new(1, 2) ngx.re.match("a", "b") waf.secret("x") ndk = nil
"#;

const HELPER: &str = "local m = {}\n\nlocal lpeg = require 'lpeg'\nfunction m.read()\n  return io.open('x')\nend\nreturn m\n";

/// What `check` writes, with the settings in a folder of their own.
fn checked(settings: &str) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lua/lib/shop");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("helper.lua"), HELPER).unwrap();
    std::fs::write(folder.path().join("moongate.yaml"), settings).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_moongate"));
    let output = check.arg("check").current_dir(folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.success())
}

/// `what @ place` of each warning.
fn warnings(said: &str) -> Vec<String> {
    let lines: Vec<&str> = said.lines().collect();
    let warned = lines.windows(2).filter_map(|pair| {
        let what = pair[0].strip_prefix("warning[script::absent]: ")?;
        Some(format!("{what} @ {}", pair[1].trim().trim_start_matches("--> ")))
    });
    warned.collect()
}

#[test]
fn what_scripts_ask_for_in_vain_is_told_at_its_line() {
    let (said, well) = checked(SETTINGS);
    assert!(well, "it is advice, and no fault: {said}");
    assert_eq!(
        warnings(&said),
        [
            "`ngx.say` may not be used in header_filter @ moongate.yaml:6:7",
            "there is no `ngx.nothing.at_all` @ moongate.yaml:11:7",
            "there is no `os.execute` @ moongate.yaml:12:7",
            "there is no module `ffi` @ moongate.yaml:9:7",
            "there is no `io` @ lua/lib/shop/helper.lua:5:3",
            "there is no module `lpeg` @ lua/lib/shop/helper.lua:3:1",
        ],
        "{said}"
    );
    assert!(said.contains("there is no FFI: what it is used for is in `ngx`"), "{said}");
}

#[test]
fn what_cannot_be_shimmed_is_a_fault_with_what_to_write_instead() {
    for (script, words) in [
        ("for i = 1, 2 do goto continue ::continue:: end", "there is no `goto` in Luau: write"),
        ("\\27LJ", "bytecode"),
    ] {
        let settings = format!(
            "upstreams: {{ app: \"127.0.0.1:3000\" }}\ncontent_by_lua_block: \"{}\"\n",
            script.replace("\\27", "\\x1b")
        );
        let (said, well) = checked(&settings);
        assert!(!well && said.contains(words) && said.contains("moongate.yaml:2"), "{said}");
    }
}
