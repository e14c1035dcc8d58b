//! Health check of the database.

use crate::{
    core::model::Refusal,
    storage::{
        ReadPool, WriterHandle,
        tables::{settings, users},
    },
};

/// Checks that the database can be read. While the writer is degraded, checks by a write whether it has
/// recovered.
pub async fn answers(readers: &ReadPool, writer: &WriterHandle) -> Result<(), Refusal> {
    readers.query_one(users::any).await?;
    if writer.is_away() {
        // The database may be back although no write has been tried since.
        writer.run("try_to_write", |conn, _| settings::note_write(conn)).await?;
    }
    Ok(())
}
