//! Refusals: the outcomes of a request that a client can expect.

use std::borrow::Cow;

/// Sentences about a request's fields, in the order found. A sentence without a field is under
/// [`FieldErrors::NO_FIELD`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(Cow<'static, str>, String)>);

impl FieldErrors {
    /// The name for sentences about no particular field.
    pub const NO_FIELD: &'static str = "non_field_errors";

    /// Creates errors with one sentence about one field.
    pub fn of(field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) -> Self {
        Self(vec![(field.into(), sentence.into())])
    }

    /// Creates errors with one sentence about the request as a whole.
    pub fn whole(sentence: impl Into<String>) -> Self {
        Self::of(Self::NO_FIELD, sentence)
    }

    /// Adds a sentence about a field.
    pub fn add(&mut self, field: &'static str, sentence: impl Into<String>) {
        self.0.push((Cow::Borrowed(field), sentence.into()));
    }

    /// Returns the value of a valid field. Records an error and returns `None` otherwise.
    pub fn note<T>(&mut self, field: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|sentence| self.add(field, sentence)).ok()
    }

    /// Returns whether there are no errors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether all sentences are about one field.
    pub fn is_about(&self, field: &str) -> bool {
        self.0.iter().all(|(name, _)| name == field)
    }

    /// Iterates over fields and sentences, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, sentence)| (field.as_ref(), sentence.as_str()))
    }
}

/// The reason why a command or a query was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The object does not exist, or the caller may not know that it does.
    NotFound,
    /// The caller sees the object, but lacks the permission.
    Forbidden,
    /// The caller lacks the permission; the sentence gives the reason.
    NotAllowed(&'static str),
    /// The request violates a rule.
    Invalid(FieldErrors),
    /// A `client_id` was reused with other content.
    Conflict,
    /// A queue is full, or the server is shutting down. Retry in a moment.
    Busy,
    /// The caller has too many requests in progress. Retry in a moment.
    Throttled,
    /// The database is unreachable or not writable.
    StorageAway,
    /// An internal error, logged at its source.
    Internal,
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}
