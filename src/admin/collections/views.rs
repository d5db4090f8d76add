//! Questions with a name.

use std::sync::Arc;

use serde_json::{Value, json};

use super::entries::answer_view;
use super::{aside, kept, now, refusal, table};
use crate::admin::{Admin, Answer, Asked, Reply};
use crate::shared::tables::{Grant, Table, View};

/// `GET /collections/{name}/views`.
pub(in crate::admin) fn views(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    now(|| {
        let views = table(admin, asked, Grant::Read)?.views();
        Ok(Answer::json(200, &json!({ "views": views })))
    })
}

/// `GET /collections/{name}/views/{view}`: the entries that answer it now.
pub(in crate::admin) fn ask_view(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&["limit", "after"])?;
        let table = table(admin, asked, Grant::Read)?;
        let mut view = saved(&table, asked).ok_or_else(|| {
            Answer::error(404, "no view of that name", "`GET /collections/NAME/views` lists them")
        })?;
        if asked.query("limit").is_some() {
            view.limit = Some(asked.query_count("limit", 1, usize::MAX)?);
        }
        answer_view(asked, &table, &view)
    })
}

/// `PUT /collections/{name}/views/{view}`.
pub(in crate::admin) fn put_view(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        let view = View::read(&asked.body).map_err(refusal)?;
        let after = serde_json::to_value(&view).unwrap_or_default();
        change(admin, asked, Some(view), after)
    })
}

/// `DELETE /collections/{name}/views/{view}`.
pub(in crate::admin) fn drop_view(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| change(admin, asked, None, Value::Null))
}

fn change(admin: &Admin, asked: &Asked, view: Option<View>, after: Value) -> super::Work {
    asked.known_query(&[])?;
    let table = table(admin, asked, Grant::Write)?;
    let before = saved(&table, asked).and_then(|view| serde_json::to_value(view).ok());
    let ticket = table.set_view(asked.param("view"), view).map_err(refusal)?;
    let target = format!("{}/{}", asked.param("name"), asked.param("view"));
    admin.audit(asked, "collection.view", &target, before, after);
    let told = kept(&ticket);
    let status = if ticket.wait().is_ok() { 200 } else { 202 };
    Ok(Answer::json(status, &told))
}

fn saved(table: &Table, asked: &Asked) -> Option<View> {
    table.views().remove(asked.param("view"))
}
