//! Validates answers and events against the API description. It is stricter than JSON Schema: fields that are
//! not described are errors.

use greenroom::openapi;
use serde_json::Value;

use super::Reply;

/// Validates a response; panics if the description does not cover it.
pub(crate) fn check_answer(method: &str, path: &str, reply: &Reply) {
    // The metrics listener is not part of the API.
    if !reply.headers.contains_key("x-request-id") {
        return;
    }
    let document = openapi::openapi();
    let Some(item) = item(document, path) else { return };
    let asked = if method == "HEAD" { "get" } else { &method.to_ascii_lowercase() };
    let Some(operation) = item.get(asked) else { return };
    let what = format!("{method} {path}: {}", reply.status);
    let Some(response) = operation["responses"].get(reply.status.to_string()) else {
        panic!("{what} is not described: {}", String::from_utf8_lossy(&reply.body));
    };
    let response = resolved(document, response);
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let is_missing = header["required"] == true && !reply.headers.contains_key(name);
        assert!(!is_missing, "{what} lacks {name}");
    }
    if method == "HEAD" {
        return;
    }
    let Some(content) = response["content"].as_object() else {
        return assert!(reply.body.is_empty(), "{what} has a body that is not described");
    };
    let kind = reply.header("content-type").split(';').next().unwrap_or_default();
    let described = content.get(kind).or_else(|| content.get("*/*"));
    let described = described.unwrap_or_else(|| panic!("{what} is not described as {kind:?}"));
    // This client does not read the body of a 426.
    if kind == "application/json" && !(reply.status == 426 && reply.body.is_empty()) {
        let problem = check(document, &described["schema"], &reply.json).err();
        assert_eq!(problem, None, "{what}: {}", reply.json);
    }
}

/// Validates a server frame, or an event of another transport; panics if it is not described.
pub(crate) fn check_frame(frame: &Value) {
    let document = openapi::asyncapi();
    let problem = described(document, FROM_SERVER, frame).err();
    assert_eq!(problem, None, "{frame}");
}

/// The channels of server frames.
pub(crate) const FROM_SERVER: &[&str] = &["events", "answers"];
/// The channels of client frames.
pub(crate) const FROM_CLIENT: &[&str] = &["commands"];

/// Returns the name of the described message that a frame matches.
pub(crate) fn described<'a>(
    document: &'a Value,
    channels: &[&str],
    frame: &Value,
) -> Result<&'a str, String> {
    let mut problems = Vec::new();
    let messages = channels.iter().map(|name| document["channels"][name]["messages"].as_object().unwrap());
    for message in messages.flat_map(|messages| messages.values()) {
        let message = resolved(document, message);
        let payload = resolved(document, &message["payload"]);
        if payload["properties"]["type"]["const"] != frame["type"] {
            continue;
        }
        match check(document, payload, frame) {
            Ok(()) => return Ok(message["name"].as_str().unwrap()),
            Err(problem) => problems.push(problem),
        }
    }
    Err(format!("it is none of those described: {problems:?}"))
}

/// Returns the operations of a path. A literal path takes precedence over one with parameters.
fn item<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let paths = document["paths"].as_object().expect("there are paths");
    let fitting = paths.iter().filter(|(template, _)| fits(template.trim_end_matches('/'), path));
    fitting.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, item)| item)
}

fn fits(template: &str, path: &str) -> bool {
    let (names, segments) = (template.split('/'), path.split('/'));
    if names.clone().count() != segments.clone().count() {
        return false;
    }
    let is_so = |(name, segment): (&str, &str)| match name.split_once('{') {
        None => name == segment,
        Some((before, rest)) => {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            segment.starts_with(before) && segment.ends_with(after) && !segment.is_empty()
        }
    };
    names.zip(segments).all(is_so)
}

/// Resolves a `$ref`.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let pointer = reference.strip_prefix('#').expect("it refers to this document");
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there"))
}

/// Keywords that do not constrain values, or that are checked together with others.
const ANNOTATIONS: [&str; 6] = ["description", "example", "examples", "default", "title", "discriminator"];

/// Placeholder in an example for omitted values.
pub(crate) const MORE: &str = "...";

/// Number of elements checked in a list: the elements of long lists are alike.
const FEW: usize = 5;

/// Validates a value against a schema, and rejects unknown fields. Returns where it differs.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolved(document, schema);
    let Some(keywords) = schema.as_object() else { return Err(format!("no schema: {schema}")) };
    for (keyword, rule) in keywords {
        let is_so = match keyword.as_str() {
            "type" => is_of(rule, value),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "format" => has_format(rule.as_str().unwrap(), value),
            "minimum" => value.as_i64().is_none_or(|number| rule.as_i64().unwrap() <= number),
            "maximum" => value.as_i64().is_none_or(|number| rule.as_i64().unwrap() >= number),
            "minLength" => length(value).is_none_or(|length| rule.as_u64().unwrap() <= length),
            "maxLength" => length(value).is_none_or(|length| rule.as_u64().unwrap() >= length),
            "minItems" => elements(value).is_none_or(|count| rule.as_u64().unwrap() <= count),
            "maxItems" => elements(value).is_none_or(|count| rule.as_u64().unwrap() >= count),
            // Only usernames have a pattern, and the server's are trusted here.
            "pattern" => true,
            "oneOf" | "anyOf" => {
                let problems: Vec<_> = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|choice| check(document, choice, value))
                    .take_while(Result::is_err)
                    .map(Result::unwrap_err)
                    .collect();
                if problems.len() == rule.as_array().unwrap().len() {
                    return Err(problems.join("; "));
                }
                true
            }
            "properties" | "additionalProperties" | "required" => {
                check_fields(document, schema, value)?;
                true
            }
            "items" => {
                let first = schema["prefixItems"].as_array().map_or(0, Vec::len);
                let items = value.as_array().into_iter().flatten().skip(first);
                if *rule == false && items.clone().next().is_some() {
                    return Err("there are more elements than there may be".to_owned());
                }
                for item in items.filter(|item| *item != MORE).take(FEW) {
                    check(document, rule, item)?;
                }
                true
            }
            "prefixItems" => {
                for (rule, item) in
                    rule.as_array().unwrap().iter().zip(value.as_array().into_iter().flatten())
                {
                    check(document, rule, item)?;
                }
                true
            }
            other if ANNOTATIONS.contains(&other) => true,
            other => return Err(format!("{other} is not looked at")),
        };
        if !is_so {
            // The value is omitted: it may be long, and may match another alternative.
            return Err(format!("it is not of {keyword} {rule}"));
        }
    }
    Ok(())
}

fn check_fields(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    for (name, value) in fields.iter().filter(|(name, _)| *name != MORE) {
        let rule = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        let Some(rule) = rule else { return Err(format!("{name} is not known")) };
        check(document, rule, value).map_err(|problem| format!("{name}: {problem}"))?;
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if !fields.contains_key(name) && !fields.contains_key(MORE) {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(())
}

fn is_of(rule: &Value, value: &Value) -> bool {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match rule {
        Value::Array(names) => names.iter().any(|other| other == name),
        one => one == name,
    }
}

fn has_format(format: &str, value: &Value) -> bool {
    match (format, value) {
        ("date-time", Value::String(text)) => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        ("int32", number) => number.as_i64().is_none_or(|number| i32::try_from(number).is_ok()),
        _ => true,
    }
}

fn elements(value: &Value) -> Option<u64> {
    value.as_array().map(|list| list.len() as u64)
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}
