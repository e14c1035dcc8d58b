//! Properties of the API descriptions that generators of clients need for good names and types.

use std::collections::BTreeSet;

use greenroom::openapi;
use serde_json::{Value, json};

use crate::support::Server;

/// Calls a function with every schema of a document and its path.
fn each_schema<'a>(place: &str, value: &'a Value, look: &mut impl FnMut(&str, &'a Value)) {
    match value {
        Value::Object(fields) => {
            let is_schema = ["type", "$ref", "oneOf", "anyOf", "const", "enum"];
            if fields.iter().any(|(name, value)| is_schema.contains(&name.as_str()) && !value.is_object()) {
                look(place, value);
            }
            for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with("example")) {
                each_schema(&format!("{place}/{name}"), value, look);
            }
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(at, value)| each_schema(&format!("{place}/{at}"), value, look));
        }
        _ => {}
    }
}

fn documents() -> [&'static Value; 2] {
    [openapi::openapi(), openapi::asyncapi()]
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} is not there"))
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn every_component_has_a_name_that_is_a_type() {
    for document in documents() {
        for kind in ["schemas", "responses", "messages"] {
            for name in document["components"][kind].as_object().into_iter().flat_map(|all| all.keys()) {
                assert!(is_pascal(name), "{kind}: {name}");
                assert!(!name.ends_with("View") && !name.ends_with("Fields"), "{kind}: {name}");
            }
        }
        // A named schema becomes a class; a class around a number is useless.
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let is_object = schema["type"] == "object" || schema["oneOf"].is_array();
            assert!(is_object || schema["enum"].is_array(), "{name}: {schema}");
        }
    }
}

#[test]
fn every_operation_is_named_by_a_verb_and_an_object() {
    const VERBS: [&str; 35] = [
        "sign", "register", "get", "list", "create", "replace", "update", "delete", "mark", "send", "search",
        "toggle", "add", "remove", "join", "leave", "start", "sync", "stream", "open", "block", "unblock",
        "receive", "change", "react", "revoke", "claim", "pin", "unpin", "save", "follow", "unfollow",
        "close", "complete", "cancel",
    ];
    let openapi = openapi::openapi();
    let operations =
        openapi["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    let mut ids: Vec<&str> =
        operations.map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    ids.extend(openapi::asyncapi()["operations"].as_object().unwrap().keys().map(String::as_str));
    for id in &ids {
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
        let verb = id.find(|c: char| c.is_ascii_uppercase()).map_or(*id, |end| &id[..end]);
        assert!(VERBS.contains(&verb), "{id}");
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each is there once");
}

#[test]
fn every_group_of_operations_is_named_by_words_that_can_name_a_module() {
    let openapi = openapi::openapi();
    let declared: Vec<&str> =
        openapi["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for operation in openapi["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap())
    {
        let tag = operation.1["tags"][0].as_str().unwrap();
        assert!(declared.contains(&tag), "{tag}");
        assert!(tag.chars().all(|c| c.is_ascii_alphabetic() || c == ' '), "{tag}");
    }
}

#[test]
fn a_fixed_value_is_a_const_and_a_choice_is_a_named_enum() {
    for document in documents() {
        let mut seen = 0;
        each_schema("", document, &mut |place, schema| {
            if let Some(values) = schema["enum"].as_array() {
                assert!(values.len() > 1, "{place}: {schema} is a const");
            }
            if schema.get("const").is_some() {
                assert_eq!(schema["type"], "string", "{place}: {schema}");
                seen += 1;
            }
        });
        assert!(seen > 14, "{seen}");
    }
}

#[test]
fn choices_are_between_components_of_which_the_one_with_more_fields_comes_first() {
    for document in documents() {
        each_schema("", document, &mut |place, schema| {
            for choices in ["oneOf", "anyOf"].iter().filter_map(|name| schema[name].as_array()) {
                let mut named = Vec::new();
                for choice in choices.iter().filter(|choice| choice["type"] != "null") {
                    assert!(choice["$ref"].is_string(), "{place}: {choice} has no name");
                    assert_eq!(choice.as_object().unwrap().len(), 1, "{place}: a reference stands alone");
                    named.push(resolved(document, choice));
                }
                for (at, wide) in named.iter().enumerate() {
                    for narrow in &named[..at] {
                        let is_hidden = required(narrow).is_subset(&required(wide))
                            && narrow["properties"]["type"].get("const")
                                == wide["properties"]["type"].get("const");
                        assert!(!is_hidden, "{place}: {narrow} takes what is meant for {wide}");
                    }
                }
            }
        });
    }
}

#[test]
fn an_event_of_a_kind_that_has_more_fields_is_tried_before_one_with_fewer() {
    let document = openapi::asyncapi();
    for (name, channel) in document["channels"].as_object().unwrap() {
        let messages: Vec<&Value> = channel["messages"].as_object().unwrap().values().collect();
        let payload = |message: &Value| resolved(document, &resolved(document, message)["payload"]).clone();
        let payloads: Vec<Value> = messages.into_iter().map(payload).collect();
        for (at, wide) in payloads.iter().enumerate() {
            for narrow in &payloads[..at] {
                let is_same = narrow["properties"]["type"] == wide["properties"]["type"];
                assert!(
                    !is_same || !required(narrow).is_subset(&required(wide)),
                    "{name}: {narrow} before {wide}"
                );
            }
        }
    }
}

#[test]
fn each_event_is_a_component_and_the_union_of_all_is_told_apart_by_type() {
    let (openapi, asyncapi) = (openapi::openapi(), openapi::asyncapi());
    let union = &openapi["components"]["schemas"]["Event"];
    let choices = union["oneOf"].as_array().unwrap();
    let mapping = union["discriminator"]["mapping"].as_object().unwrap();
    assert_eq!(union["discriminator"]["propertyName"], "type");
    assert_eq!((choices.len(), mapping.len()), (22, 22));
    for choice in choices {
        let name = choice["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let event = resolved(openapi, choice);
        let kind = event["properties"]["type"]["const"].as_str().unwrap();
        assert_eq!(name.strip_suffix("Event").unwrap().to_lowercase(), kind.replace('_', ""));
        assert_eq!(&mapping[kind], &choice["$ref"]);
        assert!(required(event).contains("type"), "{name}");
        // An event has the same schema in every transport.
        assert_eq!(event, &asyncapi["components"]["schemas"][name], "{name}");
        assert!(asyncapi["channels"]["events"]["messages"].get(name).is_some(), "{name}");
    }
    let stream = &openapi["paths"]["/messages/api/events/"]["get"]["responses"]["200"]["content"];
    assert_eq!(stream["text/event-stream"]["schema"]["$ref"], "#/components/schemas/Event");
    let synced = &openapi["components"]["schemas"]["SyncResult"]["properties"]["events"]["items"];
    assert_eq!(synced["$ref"], "#/components/schemas/Event");
}

#[test]
fn what_is_not_always_there_is_null_only_where_the_server_sends_null() {
    let schemas = &openapi::openapi()["components"]["schemas"];
    for (schema, field) in [
        ("ReadEvent", "seq"),
        ("ReadEvent", "unread_count"),
        ("ReadEvent", "me"),
        ("ChatDeletedEvent", "seq"),
        ("Chat", "is_member"),
    ] {
        let text = schemas[schema]["properties"][field].to_string();
        assert!(!text.contains("null"), "{schema}.{field}: {text}");
        assert!(!required(&schemas[schema]).contains(field), "{schema}.{field}");
    }
}

#[test]
fn every_body_has_one_media_type_and_every_object_in_it_a_name() {
    for (path, item) in openapi::openapi()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(content) = operation["requestBody"]["content"].as_object() {
                let kinds: Vec<&String> = content.keys().collect();
                // The bytes of a file are no object.
                if path.starts_with("/messages/uploads/") {
                    assert_eq!(kinds, ["application/octet-stream"], "{method} {path}");
                } else {
                    assert_eq!(kinds, ["application/json"], "{method} {path}");
                    assert!(content["application/json"]["schema"]["$ref"].is_string(), "{method} {path}");
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["schema"]["type"].is_string(), "{method} {path}: {parameter}");
                let is_number = parameter["schema"]["type"] == "integer";
                assert!(!is_number || parameter["schema"]["minimum"] == 1, "{method} {path}: {parameter}");
            }
        }
    }
}

#[test]
fn the_description_of_sockets_has_a_channel_for_each_direction_and_says_who_may_connect() {
    let document = openapi::asyncapi();
    let operations = document["operations"].as_object().unwrap();
    let shown = |name: &str| (&operations[name]["action"], &operations[name]["channel"]["$ref"]);
    assert_eq!(shown("sendEvent"), (&json!("send"), &json!("#/channels/events")));
    assert_eq!(shown("receiveCommand"), (&json!("receive"), &json!("#/channels/commands")));
    assert_eq!(operations["receiveCommand"]["reply"]["channel"]["$ref"], "#/channels/answers");
    for (name, end) in [("events", "Event"), ("commands", "Command")] {
        let messages = document["channels"][name]["messages"].as_object().unwrap();
        assert!(messages.keys().all(|message| message.ends_with(end)), "{name}");
        assert_eq!(document["channels"][name]["address"], "/messages/ws/");
    }
    let server = &document["servers"]["greenroom"];
    assert_eq!(server["protocol"], "ws");
    for scheme in server["security"].as_array().unwrap() {
        assert!(resolved(document, scheme)["type"].is_string(), "{scheme}");
    }
    assert_eq!(server["security"].as_array().unwrap().len(), 3);
}

#[actix_rt::test(system = "crate::System")]
async fn the_description_of_sockets_names_the_server_that_was_asked() {
    let server = Server::start().await;
    let reply =
        server.anonymous().with("Host", "chat.example.com:8443").get("schema/websocket/").await.expect(200);
    assert_eq!(reply.json["servers"]["greenroom"]["host"], "chat.example.com:8443");
    assert_eq!(reply.json["servers"]["greenroom"]["protocol"], "ws");
    let public = |config: &mut greenroom::config::Config| {
        config.public_url = Some("https://chat.example.com".to_owned());
    };
    let server = Server::start_with(public).await;
    let reply = server.anonymous().get("schema/websocket/").await.expect(200);
    assert_eq!(reply.json["servers"]["greenroom"]["host"], "chat.example.com");
    assert_eq!(reply.json["servers"]["greenroom"]["protocol"], "wss");
}
