//! Lists by the million, read while everything goes on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{HELP, aside, now, table};
use crate::admin::{Admin, Answer, Asked, Reply};
use crate::shared::tables::{
    Durability, Fault, Format, Grant, Import, List, Mode, OnFault, Stage, moment,
};

/// `POST /collections/{name}/import`.
pub(in crate::admin) fn begin(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&["format", "mode", "on_fault"])?;
        let table = table(admin, asked, Grant::Write)?;
        let list = list(asked)?;
        let name = asked.param("name");
        let import = admin.tables().import(name, list, &asked.who.name).map_err(|fault| {
            let status = if matches!(fault, Fault::Full(_)) { 503 } else { 404 };
            Answer::error(status, fault.to_string(), HELP)
        })?;
        let place = format!("/collections/{name}/imports/{}", import.id);
        let told = shown(&import);
        admin.audit(asked, "collection.import", name, table.version(), told.clone());
        Ok(Answer::json(202, &told).with_field("Location", &place))
    })
}

/// `GET /collections/{name}/imports/{id}`.
pub(in crate::admin) fn progress(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    now(|| {
        table(admin, asked, Grant::Read)?;
        let id = asked.param("id").parse().ok();
        let import = id.and_then(|id| admin.tables().import_of(asked.param("name"), id));
        let import = import.ok_or_else(|| {
            let help = "the last hundred since the start are remembered";
            Answer::error(404, "no import of that number", help)
        })?;
        Ok(Answer::json(200, &shown(&import)))
    })
}

fn list(asked: &Asked) -> Result<List, Answer> {
    let unknown = |name: &str, help: &str| {
        Answer::error(400, format!("`{name}` cannot be used"), help.to_owned())
    };
    let format = asked.query("format").and_then(Format::named);
    let format = format.ok_or_else(|| unknown("format", "`csv`, `jsonl` or `list`"))?;
    let mode = match asked.query("mode") {
        Some("merge") => Mode::Merge,
        Some("replace") => Mode::Replace,
        _ => return Err(unknown("mode", "`merge` or `replace`")),
    };
    let on_fault = match asked.query("on_fault") {
        None | Some("refuse") => OnFault::Refuse,
        Some("skip") => OnFault::Skip,
        Some(_) => return Err(unknown("on_fault", "`refuse` or `skip`")),
    };
    Ok(List { format, mode, on_fault, text: asked.body.clone() })
}

fn shown(import: &Import) -> Value {
    let progress = import.progress();
    let failed = progress.faults.iter();
    let failed: Vec<Value> =
        failed.map(|(line, reason)| json!({ "line": line, "reason": reason })).collect();
    json!({
        "id": import.id,
        "collection": &*import.table,
        "who": import.who,
        "format": import.format.name(),
        "mode": match import.mode {
            Mode::Merge => "merge",
            Mode::Replace => "replace",
        },
        "on_fault": match import.on_fault {
            OnFault::Refuse => "refuse",
            OnFault::Skip => "skip",
        },
        "stage": match progress.stage {
            Stage::Reading => "reading",
            Stage::Changing => "changing",
            Stage::InForce => "in force",
            Stage::Done => "done",
            Stage::Refused => "refused",
        },
        "bytes": import.bytes,
        "bytes_read": progress.bytes_read,
        "done": progress.done,
        "failed": progress.failed,
        "failed_lines": failed,
        "version": progress.version,
        "kept": progress.kept.map(|kept| match kept {
            Durability::Disk => "disk",
            Durability::Memory => "memory",
        }),
        "trouble": progress.trouble,
        "began": moment(import.began),
        "ended": progress.ended.map(moment),
    })
}
