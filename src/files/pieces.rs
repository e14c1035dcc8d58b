//! The bytes of a file, read in pieces on threads that may block.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};

/// Bytes that are read at once.
const PIECE: u64 = 256 << 10;

/// Reads a file in pieces, on threads that may block. The next piece is read while the client receives the one before.
pub fn pieces(file: File, bytes: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
    let file = Arc::new(file);
    let read = move |from: u64| {
        let (file, to) = (file.clone(), bytes.end.min(from + PIECE));
        tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; (to - from) as usize];
            file.read_exact_at(&mut piece, from)?;
            Ok(Bytes::from(piece))
        })
    };
    let (start, end) = (bytes.start, bytes.end);
    let first = (start < end).then(|| read(start));
    stream::unfold((start, first), move |(at, reading)| {
        let read = read.clone();
        async move {
            let piece = reading?.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            let next = at + PIECE;
            let following = (piece.is_ok() && next < end).then(|| read(next));
            Some((piece, (next, following)))
        }
    })
}
