//! `ngx.config`: what the host is.

use mlua::Value;

use super::arguments::{one, string};
use super::{EVERYWHERE, Function, Native};
use crate::script::spec_of;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.config.subsystem",
        phases: EVERYWHERE,
        syntax: "ngx.config.subsystem",
        doc: "`\"http\"`.",
        native: Native::Value(|lua| string(lua, "http")),
    },
    Function {
        name: "ngx.config.debug",
        phases: EVERYWHERE,
        syntax: "ngx.config.debug",
        doc: "`false`.",
        native: Native::Value(|_| Ok(Value::Boolean(false))),
    },
    Function {
        name: "ngx.config.nginx_version",
        phases: EVERYWHERE,
        syntax: "ngx.config.nginx_version",
        doc: "The nginx whose behaviour scripts may expect: `1027001`.",
        native: Native::Value(|_| Ok(Value::Integer(1_027_001))),
    },
    Function {
        name: "ngx.config.ngx_lua_version",
        phases: EVERYWHERE,
        syntax: "ngx.config.ngx_lua_version",
        doc: "The lua-nginx-module whose behaviour scripts may expect: `10028`.",
        native: Native::Value(|_| Ok(Value::Integer(10_028))),
    },
    Function {
        name: "ngx.config.prefix",
        phases: EVERYWHERE,
        syntax: "local folder = ngx.config.prefix()",
        doc: "What the settings say (`lua.prefix`), else an empty string: scripts have no files of \
              their own.",
        native: Native::Now(|lua, _, _| {
            let prefix = spec_of(lua).and_then(|spec| spec.prefix.clone());
            string(lua, prefix.as_deref().unwrap_or_default()).map(one)
        }),
    },
    Function {
        name: "ngx.config.nginx_configure",
        phases: EVERYWHERE,
        syntax: "local options = ngx.config.nginx_configure()",
        doc: "With a prefix `--prefix=` and that, else an empty string.",
        native: Native::Now(|lua, _, _| {
            let prefix = spec_of(lua).and_then(|spec| spec.prefix.clone());
            let options = prefix.map(|prefix| format!("--prefix={prefix}")).unwrap_or_default();
            string(lua, options).map(one)
        }),
    },
];
