//! Validated input whose errors only permitted callers may see.

use crate::{core::model::Refusal, error::ApiError};

/// Validated input, or its errors. An error would reveal that an object exists, so the permission is checked
/// before an error is returned. For valid input, the command or query itself checks the permission.
#[derive(Debug)]
#[must_use]
pub struct Checked<T>(Result<T, ApiError>);

impl<T, E: Into<ApiError>> From<Result<T, E>> for Checked<T> {
    fn from(result: Result<T, E>) -> Self {
        Self(result.map_err(Into::into))
    }
}

impl<T> Checked<T> {
    /// Validates fields, if they could be parsed.
    pub fn of<F, E: Into<ApiError>>(
        fields: Result<F, ApiError>,
        check: impl FnOnce(F) -> Result<T, E>,
    ) -> Self {
        Self(fields.and_then(|fields| check(fields).map_err(Into::into)))
    }

    /// Returns whether the value is valid and meets a condition.
    pub fn is_some_and(&self, condition: impl FnOnce(&T) -> bool) -> bool {
        self.0.as_ref().is_ok_and(condition)
    }

    /// Validates further.
    pub fn and_then<U>(self, check: impl FnOnce(T) -> Result<U, ApiError>) -> Checked<U> {
        Checked(self.0.and_then(check))
    }

    /// Returns the value. If it is invalid, returns the error of `permission` first, and the errors of the
    /// input only to permitted callers.
    pub async fn authorize_errors(
        self,
        permission: impl Future<Output = Result<(), Refusal>>,
    ) -> Result<T, ApiError> {
        if self.0.is_err() {
            permission.await?;
        }
        self.0
    }

    /// Returns the value or its errors. The errors are for permitted callers only.
    pub fn into_result(self) -> Result<T, ApiError> {
        self.0
    }
}
