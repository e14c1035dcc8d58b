//! Events, which are components in both documents.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::components::Components;
use crate::view::{Frame, LiveEvent, MessageFrame};

/// An event as a component.
pub(crate) struct Event {
    /// Its `type`.
    pub(crate) kind: String,
    /// Name of the component.
    pub(crate) name: String,
    /// Reference to the component.
    pub(crate) schema: Value,
    pub(crate) summary: Value,
}

/// Adds a component for each event, and the union `Event`.
pub(crate) fn add(components: &mut Components) -> Vec<Event> {
    let union = components.of::<LiveEvent>();
    let kinds = [json!(MessageFrame::schema()), json!(Frame::schema())];
    let variants = kinds.iter().filter_map(|kinds| kinds["oneOf"].as_array()).flatten();
    let events: Vec<Event> = variants.map(|variant| event(components, variant)).collect();
    let choices: Vec<&Value> = events.iter().map(|event| &event.schema).collect();
    let mapping: Map<String, Value> =
        events.iter().map(|event| (event.kind.clone(), event.schema["$ref"].clone())).collect();
    let schema = json!({
        "description": "An event; `type` tells which one.",
        "oneOf": choices,
        "discriminator": { "propertyName": "type", "mapping": mapping },
    });
    let name = union["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    components.add(name, schema);
    events
}

fn event(components: &mut Components, variant: &Value) -> Event {
    let kind = variant["properties"]["type"]["enum"][0].as_str().unwrap_or_default().to_owned();
    let name = format!("{}Event", pascal(&kind));
    let summary = variant["description"].clone();
    let schema = tagged(&kind, &summary, &variant["properties"], &variant["required"]);
    let schema = components.add(&name, schema);
    Event { kind, name, schema, summary }
}

/// Returns an object schema whose `type` is a constant.
pub(crate) fn tagged(kind: &str, description: &Value, properties: &Value, required: &Value) -> Value {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!({ "type": "string", "const": kind }));
    let others = properties.as_object().into_iter().flatten().filter(|(name, _)| *name != "type");
    fields.extend(others.map(|(name, schema)| (name.clone(), schema.clone())));
    let others = required.as_array().into_iter().flatten().filter(|name| *name != "type");
    let required: Vec<Value> = std::iter::once(json!("type")).chain(others.cloned()).collect();
    json!({ "type": "object", "description": description, "properties": fields, "required": required })
}

/// Converts `new_message` to `NewMessage`.
pub(crate) fn pascal(kind: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    kind.split('_').map(word).collect()
}
