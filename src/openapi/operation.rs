//! Builder of operations: parameters, bodies, responses, and the defaults that all operations share.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{components::Components, errors};
use crate::core::text_index::matching;

/// Authentication that an operation requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// None.
    Open,
    /// A session cookie or a token.
    SignedIn,
}

/// An operation under construction.
pub(crate) struct Operation<'a> {
    value: Map<String, Value>,
    components: &'a mut Components,
}

/// Default media type.
const JSON: &str = "application/json";

impl<'a> Operation<'a> {
    pub(crate) fn new(
        components: &'a mut Components,
        method: &str,
        path: &str,
        access: Access,
        [tag, id, summary]: [&str; 3],
    ) -> Self {
        let value = json!({ "tags": [tag], "summary": summary, "operationId": id, "responses": {} });
        let Value::Object(value) = value else { unreachable!("it was written as an object") };
        let mut operation = Self { value, components };
        for segment in path.split(['{', '}']).skip(1).step_by(2) {
            operation = operation.parameter("path", segment, segment_schema(segment), segment_text(segment));
        }
        if access == Access::SignedIn {
            operation
                .value
                .insert("security".to_owned(), json!([{ "session": [] }, { "token": [] }, { "jwt": [] }]));
            operation = operation.errors(&[401, 429]);
        } else {
            operation.value.insert("security".to_owned(), json!([]));
        }
        if access == Access::SignedIn && path.contains('{') {
            operation = operation.errors(&[404]);
        }
        if method != "get" {
            operation = operation.errors(&[403]);
        }
        operation.errors(&[500, 503])
    }

    /// Sets the description.
    pub(crate) fn description(mut self, text: &str) -> Self {
        self.value.insert("description".to_owned(), text.into());
        self
    }

    /// Adds a query parameter.
    pub(crate) fn query(self, name: &str, schema: Value, text: &str) -> Self {
        self.parameter("query", name, schema, text)
    }

    pub(crate) fn header(self, name: &str, text: &str) -> Self {
        self.parameter("header", name, json!({ "type": "string" }), text)
    }

    fn parameter(mut self, place: &str, name: &str, schema: Value, text: &str) -> Self {
        let mut parameter = json!({ "name": name, "in": place, "description": text, "schema": schema });
        if place == "path" {
            parameter["required"] = true.into();
        }
        self.list("parameters").push(parameter);
        self
    }

    /// Adds the pagination parameters `page` and `page_size`.
    pub(crate) fn paged(self, size: usize) -> Self {
        let number = json!({ "type": "integer", "minimum": 1, "default": 1 });
        let most = json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": size });
        self.query("page", number, "The page, from 1.")
            .query("page_size", most, "Results on a page. More than 100 counts as 100.")
            .errors(&[404])
    }

    /// Adds the parameter `match` of searches.
    pub(crate) fn matches(self) -> Self {
        let choice = json!({ "type": "string", "enum": matching::NAMES, "default": matching::NAMES[0] });
        let text = "Where words match: anywhere, or only at the beginning of a word. Numbers, and scripts without spaces between \
                    words, match anywhere.";
        self.query("match", choice, text).errors(&[400])
    }

    /// Sets a JSON body of a type.
    pub(crate) fn takes<T: ToSchema>(self, example: Value) -> Self {
        let schema = self.components.of::<T>();
        self.body(schema, example)
    }

    /// Sets a JSON body with some fields of a type; those marked with `!` are required.
    pub(crate) fn takes_part<T: ToSchema>(self, name: &str, fields: &str, example: Value) -> Self {
        let schema = self.components.part_of::<T>(name, fields);
        self.body(schema, example)
    }

    /// Sets a JSON body. Forms are not described even where they are accepted: several client generators fail
    /// on a choice of media types.
    fn body(mut self, schema: Value, example: Value) -> Self {
        let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let is_required = self.components.requires_fields(name);
        let content = json!({ JSON: { "schema": schema, "example": example } });
        self.value.insert("requestBody".to_owned(), json!({ "required": is_required, "content": content }));
        self.errors(&[400, 408, 413, 415])
    }

    /// Adds a response with a view.
    pub(crate) fn answers<T: ToSchema>(self, status: u16, text: &str, example: Value) -> Self {
        let schema = self.components.of::<T>();
        self.answer(status, text, JSON, schema, example)
    }

    /// Adds a response with one of two views, depending on the caller. Clients take the first that matches,
    /// so the one with more fields is first.
    pub(crate) fn answers_one_of<T: ToSchema, U: ToSchema>(self, text: &str, example: Value) -> Self {
        let schema = json!({ "anyOf": [self.components.of::<T>(), self.components.of::<U>()] });
        self.answer(200, text, JSON, schema, example)
    }

    /// Adds a response with a page of views.
    pub(crate) fn answers_page<T: ToSchema>(self, text: &str, example: Value) -> Self {
        let schema = self.components.page_of::<T>();
        let page = json!({ "count": 1, "next": null, "previous": null, "results": [example] });
        self.answer(200, text, JSON, schema, page)
    }

    /// Adds a response that is either a view `T` with more fields than a page, or a page of `U`.
    pub(crate) fn answers_or_page<T: ToSchema, U: ToSchema>(self, text: &str, example: Value) -> Self {
        let schema = json!({ "anyOf": [self.components.of::<T>(), self.components.page_of::<U>()] });
        let page = json!({ "count": 1, "next": null, "previous": null, "results": [example] });
        self.answer(200, text, JSON, schema, page)
    }

    /// Adds a response of another media type.
    pub(crate) fn answers_with(self, text: &str, kind: &str, schema: Value, example: Value) -> Self {
        self.answer(200, text, kind, schema, example)
    }

    fn answer(mut self, status: u16, text: &str, kind: &str, schema: Value, example: Value) -> Self {
        let mut content = json!({ "schema": schema });
        if !example.is_null() {
            content["example"] = example;
        }
        let response = self.responses().entry(status.to_string());
        let response = response.or_insert_with(|| json!({ "description": text }));
        response["content"][kind] = content;
        self
    }

    /// Sets a body of any bytes.
    pub(crate) fn takes_bytes(mut self) -> Self {
        let content =
            json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
        self.value.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
        self
    }

    /// Adds a response of any bytes.
    pub(crate) fn answers_bytes(self, status: u16, text: &str) -> Self {
        self.answer(status, text, "*/*", json!({ "type": "string", "format": "binary" }), Value::Null)
    }

    /// Adds a response without a body.
    pub(crate) fn answers_nothing(mut self, status: u16, text: &str) -> Self {
        self.responses().insert(status.to_string(), json!({ "description": text }));
        self
    }

    /// Adds a header to a response that was added before.
    pub(crate) fn response_header(mut self, status: u16, name: &str, text: &str) -> Self {
        self.responses()[&status.to_string()]["headers"][name] =
            json!({ "description": text, "schema": { "type": "string" } });
        self
    }

    /// Adds links from a response's `id` to a parameter of other operations.
    pub(crate) fn link(mut self, status: u16, parameter: &str, operations: &[&str]) -> Self {
        for operation in operations {
            self.responses()[&status.to_string()]["links"][*operation] = json!({
                "operationId": operation,
                "parameters": { parameter: "$response.body#/id" },
            });
        }
        self
    }

    /// Adds error responses.
    pub(crate) fn errors(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let reference = json!({ "$ref": format!("#/components/responses/{}", errors::name(*status)) });
            self.responses().insert(status.to_string(), reference);
        }
        self
    }

    pub(crate) fn finish(mut self) -> Value {
        self.responses().sort_keys();
        Value::Object(self.value)
    }

    fn responses(&mut self) -> &mut Map<String, Value> {
        self.value["responses"].as_object_mut().expect("it is made with them")
    }

    fn list(&mut self, name: &str) -> &mut Vec<Value> {
        let list = self.value.entry(name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("it is made as a list")
    }
}

/// Returns the schema of an id in a path or a query.
pub(crate) fn id() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": crate::core::model::ids::MAX_ID })
}

pub(crate) fn text() -> Value {
    json!({ "type": "string" })
}

pub(crate) fn one_of(choices: &[&str]) -> Value {
    json!({ "type": "string", "enum": choices })
}

fn segment_schema(segment: &str) -> Value {
    match segment {
        "chat" | "file" | "message" | "user" | "session" | "token" => id(),
        // A value with a slash would be another path.
        _ => json!({ "type": "string", "minLength": 1 }),
    }
}

fn segment_text(segment: &str) -> &'static str {
    match segment {
        "chat" => "The chat's id.",
        "file" => "The id of the attachment, and of its upload.",
        "key" => "The key of the address.",
        "name" => "Any name.",
        "message" => "The message's id.",
        "user" => "The user's id.",
        "session" => "The session's id.",
        "token" => "The token's id.",
        "emoji" => "The emoji, percent-encoded.",
        "version" => "Hash of the content of all files.",
        _ => "The file's path.",
    }
}
