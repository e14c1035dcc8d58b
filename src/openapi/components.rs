//! Components: the schemas derived from the types of requests and responses.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::api::page::PageView;

/// Schemas by name.
#[derive(Default)]
pub(crate) struct Components(Map<String, Value>);

/// Prefix of references to components.
const PREFIX: &str = "#/components/schemas/";

impl Components {
    /// Adds the schema of a type, and all schemas that it refers to. Returns a reference to it.
    pub(crate) fn of<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            self.0.entry(name).or_insert_with(|| json!(schema));
        }
        reference(&T::name())
    }

    /// Adds the schema of a page of a type. Returns a reference to it.
    pub(crate) fn page_of<T: ToSchema>(&mut self) -> Value {
        self.of::<T>();
        let name = format!("{}Page", T::name());
        self.0.entry(&name).or_insert_with(|| json!(PageView::<T>::schema()));
        reference(&name)
    }

    /// Adds an object schema with some fields of a type; those marked with `!` are required. Returns a
    /// reference to it.
    pub(crate) fn part_of<T: ToSchema>(&mut self, name: &str, fields: &str) -> Value {
        let part = self.some_of::<T>(fields);
        self.add(name, part)
    }

    /// Returns an object schema with some fields of a type; those marked with `!` are required.
    pub(crate) fn some_of<T: ToSchema>(&mut self, fields: &str) -> Value {
        self.of::<T>();
        let whole = json!(T::schema());
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields.split_whitespace() {
            let (field, is_required) = field.strip_suffix('!').map_or((field, false), |field| (field, true));
            properties.insert(field.to_owned(), whole["properties"][field].clone());
            if is_required {
                required.push(field);
            }
        }
        let mut part = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            part["required"] = json!(required);
        }
        part
    }

    /// Adds a schema. Returns a reference to it.
    pub(crate) fn add(&mut self, name: &str, schema: Value) -> Value {
        self.0.insert(name.to_owned(), schema);
        reference(name)
    }

    /// Whether a schema has required fields.
    pub(crate) fn requires_fields(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|schema| !schema["required"].is_null())
    }

    /// Returns all schemas that the document refers to, sorted by name, with flattened types merged.
    pub(crate) fn finish(self, document: &Value) -> Value {
        let plain = |(name, schema)| {
            let mut schema = in_one_piece(schema, &self.0);
            simplify(&mut schema, &self.0);
            (String::clone(name), schema)
        };
        let mut whole: Vec<(String, Value)> = self.0.iter().map(plain).collect();
        loop {
            let texts: Vec<String> = whole.iter().map(|(_, schema)| schema.to_string()).collect();
            let all = format!("{document}{}", texts.concat());
            let before = whole.len();
            whole.retain(|(name, _)| all.contains(&format!("{PREFIX}{name}\"")));
            if whole.len() == before {
                break;
            }
        }
        whole.sort_by(|(one, _), (other, _)| one.cmp(other));
        Value::Object(whole.into_iter().collect())
    }
}

pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{PREFIX}{name}") })
}

/// Merges the parts of an `allOf` schema, which flattened types have, into one object schema.
fn in_one_piece(schema: &Value, all: &Map<String, Value>) -> Value {
    let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
    let mut parts: Vec<(Value, bool)> = parts.iter().map(|part| piece(part, all)).collect();
    // Documentation shows the properties in this order, so the part with the id is first.
    parts.sort_by_key(|(part, _)| part["properties"]["id"].is_null());
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (part, is_certain) in parts {
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
        if is_certain {
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
    }
    let mut whole = json!({ "type": "object", "properties": properties, "required": required });
    if let Some(description) = schema.get("description") {
        whole["description"] = description.clone();
    }
    whole
}

/// Resolves a part of an `allOf`. Returns it, and whether it is always present.
fn piece(part: &Value, all: &Map<String, Value>) -> (Value, bool) {
    if let Some(choices) = part["oneOf"].as_array() {
        let there = choices.iter().find(|choice| choice["type"] != "null").unwrap_or(part);
        return (piece(there, all).0, false);
    }
    let name = part["$ref"].as_str().and_then(|reference| reference.strip_prefix(PREFIX));
    let named = name.and_then(|name| all.get(name));
    (named.map_or_else(|| part.clone(), |schema| in_one_piece(schema, all)), true)
}

/// Simplifies a derived schema for client generators. Ids, times and numbers are inlined, because generators
/// turn a named number into a wrapper class.
fn simplify(schema: &mut Value, all: &Map<String, Value>) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(|schema| simplify(schema, all)),
        Value::Object(keywords) => {
            keywords.remove("propertyNames");
            keywords.values_mut().for_each(|value| simplify(value, all));
            inline_scalar(keywords, all);
            merge_null(keywords);
            // Generators turn a number with limits in a list into a wrapper class too.
            if let Some(Value::Object(items)) = keywords.get_mut("items") {
                items.retain(|keyword, _| !matches!(keyword.as_str(), "minimum" | "maximum"));
            }
        }
        _ => {}
    }
}

/// Inlines a reference to an integer or string schema that is not an enum.
fn inline_scalar(keywords: &mut Map<String, Value>, all: &Map<String, Value>) {
    let name = keywords.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(PREFIX));
    let Some(Value::Object(scalar)) = name.and_then(|name| all.get(name)) else { return };
    let kind = scalar.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("integer" | "string")) || scalar.contains_key("enum") {
        return;
    }
    keywords.remove("$ref");
    for (keyword, value) in scalar {
        keywords.entry(keyword).or_insert_with(|| value.clone());
    }
}

/// Simplifies a `oneOf` of a schema and null: moves the description up, and merges a plain type to `[type,
/// "null"]`.
fn merge_null(keywords: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = keywords.get_mut("oneOf") else { return };
    let [Value::Object(first), Value::Object(null)] = &mut choices[..] else { return };
    if null.get("type") != Some(&json!("null")) {
        return;
    }
    let description = first.remove("description");
    if let Some(kind) = first.get("type").and_then(Value::as_str) {
        let kind = json!([kind, "null"]);
        let mut merged = std::mem::take(first);
        merged["type"] = kind;
        keywords.remove("oneOf");
        keywords.extend(merged);
    }
    if let Some(description) = description {
        keywords.entry("description").or_insert(description);
    }
}
