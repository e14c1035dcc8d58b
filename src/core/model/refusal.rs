//! Why a request is not done: the outcomes that a client can expect, apart from our own faults.

use std::borrow::Cow;

/// Sentences about a request's fields, in the order found. What belongs to no field stands under [`FieldErrors::NO_FIELD`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(Cow<'static, str>, String)>);

impl FieldErrors {
    /// The name under which stands what belongs to no field.
    pub const NO_FIELD: &'static str = "non_field_errors";

    /// One sentence about one field.
    pub fn of(field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) -> Self {
        Self(vec![(field.into(), sentence.into())])
    }

    /// One sentence about the request as a whole.
    pub fn whole(sentence: impl Into<String>) -> Self {
        Self::of(Self::NO_FIELD, sentence)
    }

    /// Adds a sentence about a field.
    pub fn add(&mut self, field: &'static str, sentence: impl Into<String>) {
        self.0.push((Cow::Borrowed(field), sentence.into()));
    }

    /// Notes what is wrong with a field and goes on: `None` where something was.
    pub fn note<T>(&mut self, field: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|sentence| self.add(field, sentence)).ok()
    }

    /// Whether nothing was found wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields with their sentences, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, sentence)| (field.as_ref(), sentence.as_str()))
    }
}

/// Why a command or a query was turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// The caller sees it, and may not do this to it.
    Forbidden,
    /// The same, with a sentence that says why.
    NotAllowed(&'static str),
    /// The request breaks a rule.
    Invalid(FieldErrors),
    /// A `client_id` was used again with other content.
    Conflict,
    /// A queue is full, or the server is shutting down: try again in a moment.
    Busy,
    /// The caller has too much under way: try again in a moment.
    Throttled,
    /// The database cannot be reached or written.
    StorageAway,
    /// Our own fault, logged where it happened.
    Internal,
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}
