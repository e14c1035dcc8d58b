//! List of all routes as an HTML page.

use std::fmt::Write;

use serde_json::Value;

use super::openapi;
use crate::paths::BASE;

/// Returns the list as HTML. Each route links to its documentation.
pub(crate) fn index() -> String {
    let document = openapi();
    let mut list = String::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let (name, about) = (text(&tag["name"]), text(&tag["description"]));
        let _ = write!(list, "<section><h2>{name}</h2><p>{about}</p><ul>");
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag["name"] {
                    let (id, summary) = (text(&operation["operationId"]), text(&operation["summary"]));
                    let shown = method.to_uppercase();
                    let _ = write!(
                        list,
                        "<li><span class=\"method method-{method}\">{shown}</span> \
                         <a class=\"path\" href=\"{BASE}/docs/#{id}\">{path}</a> <span class=\"what\">{summary}</span></li>"
                    );
                }
            }
        }
        list.push_str("</ul></section>");
    }
    list
}

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
