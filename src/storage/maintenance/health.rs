//! Whether the database can be read and written.

use crate::{
    core::model::Refusal,
    storage::{
        Readers, WriterHandle,
        tables::{settings, users},
    },
};

/// Looks whether the database can be read and written.
pub async fn answers(readers: &Readers, writer: &WriterHandle) -> Result<(), Refusal> {
    readers.ask_one(users::any).await?;
    if writer.is_away() {
        // It may have come back without anybody having tried.
        writer.run("try_to_write", |conn, _| settings::note_write(conn)).await?;
    }
    Ok(())
}
