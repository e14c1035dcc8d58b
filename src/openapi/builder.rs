//! Builder of the OpenAPI document.

use super::{
    components::Components,
    operation::{Access, Operation},
};
use crate::paths::BASE;

use serde_json::{Map, Value, json};

/// An OpenAPI document under construction.
#[derive(Default)]
pub(crate) struct Reference {
    pub(crate) paths: Map<String, Value>,
    pub(crate) components: Components,
}

impl Reference {
    /// Adds a path below the API's base, which requires authentication.
    pub(crate) fn api(&mut self, tag: &'static str, path: &str) -> Address<'_> {
        self.signed_in(tag, &format!("{BASE}/{path}"))
    }

    pub(crate) fn signed_in(&mut self, tag: &'static str, path: &str) -> Address<'_> {
        Address { reference: self, tag, path: path.to_owned(), access: Access::SignedIn }
    }

    /// Adds a path that requires no authentication.
    pub(crate) fn open(&mut self, tag: &'static str, path: &str) -> Address<'_> {
        Address { reference: self, tag, path: path.to_owned(), access: Access::Open }
    }
}

/// A path under construction. Each method has an operation id and a summary.
pub(crate) struct Address<'a> {
    reference: &'a mut Reference,
    tag: &'static str,
    path: String,
    access: Access,
}

macro_rules! methods {
    ($($name:ident),*) => {
        $(pub(crate) fn $name(self, id: &str, summary: &str, describe: impl FnOnce(Operation<'_>) -> Operation<'_>) -> Self {
            self.method(stringify!($name), id, summary, describe)
        })*
    };
}

impl Address<'_> {
    methods!(get, post, put, patch, delete);

    fn method(
        self,
        method: &str,
        id: &str,
        summary: &str,
        describe: impl FnOnce(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        let about = [self.tag, id, summary];
        let operation =
            Operation::new(&mut self.reference.components, method, &self.path, self.access, about);
        let described = describe(operation).finish();
        let item = self.reference.paths.entry(&self.path).or_insert_with(|| json!({}));
        item[method] = described;
        self
    }
}
