//! The bytes of SQLite's `-wal` file that are not written yet.
//!
//! SQLite writes each page of a transaction in two calls: a frame header, then the page. Its format:
//! <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::ops::Range;

/// Bytes of a frame header. No page is this small.
const FRAME_HEADER: usize = 24;

/// Where a frame header has the size of the database after a commit. It is 0 in other frames.
const SIZE_AFTER_COMMIT: Range<usize> = 4..8;

/// Bytes that are held at most. A larger transaction takes several writes. SQLite's default VFS takes less than
/// 128 KiB in a call.
const CAPACITY: usize = 124 * 1024;

/// Adjacent writes that have not reached the file.
#[derive(Debug, Default)]
pub(super) struct LogBuffer {
    offset: i64,
    bytes: Vec<u8>,
    /// Whether the last write was the frame header of a commit.
    completes_with_next: bool,
}

impl LogBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns whether a write can be added. If not, the held bytes must be written first.
    pub(super) fn accepts(&self, offset: i64, len: usize) -> bool {
        self.is_empty()
            || (offset == self.offset + self.bytes.len() as i64 && self.bytes.len() + len <= CAPACITY)
    }

    /// Adds a write. Returns whether it is the last one of a commit.
    pub(super) fn push(&mut self, offset: i64, bytes: &[u8]) -> bool {
        debug_assert!(self.accepts(offset, bytes.len()), "a gap at {offset}");
        if self.is_empty() {
            self.offset = offset;
        }
        self.bytes.extend_from_slice(bytes);
        let is_header = bytes.len() == FRAME_HEADER;
        let is_complete = self.completes_with_next && !is_header;
        self.completes_with_next = is_header && bytes[SIZE_AFTER_COMMIT] != [0; 4];
        is_complete
    }

    /// Returns the offset and the bytes to write.
    pub(super) fn held(&self) -> (i64, &[u8]) {
        (self.offset, &self.bytes)
    }

    /// Forgets the held bytes.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size_after_commit: u32) -> [u8; FRAME_HEADER] {
        let mut header = [7; FRAME_HEADER];
        header[SIZE_AFTER_COMMIT].copy_from_slice(&size_after_commit.to_be_bytes());
        header
    }

    #[test]
    fn a_commit_ends_with_the_page_of_its_last_frame() {
        let mut buffer = LogBuffer::default();
        let writes: [&[u8]; 5] = [&[1; 32], &header(0), &[2; 512], &header(9), &[3; 512]];
        let mut offset = 0;
        let mut complete = Vec::new();
        for bytes in writes {
            assert!(buffer.accepts(offset, bytes.len()));
            complete.push(buffer.push(offset, bytes));
            offset += bytes.len() as i64;
        }
        assert_eq!(complete, [false, false, false, false, true]);
        assert_eq!(buffer.held(), (0, writes.concat().as_slice()));
        buffer.clear();
        assert!(buffer.is_empty());
    }

    #[test]
    fn only_adjacent_writes_up_to_the_capacity_are_gathered() {
        let mut buffer = LogBuffer::default();
        assert!(buffer.accepts(4096, 65_536), "an empty buffer takes any page");
        buffer.push(4096, &[0; 100]);
        assert!(buffer.accepts(4196, 512));
        assert!(!buffer.accepts(4195, 512), "it overlaps");
        assert!(!buffer.accepts(4197, 512), "there is a gap");
        assert!(!buffer.accepts(4196, CAPACITY - 99), "it is full");
    }
}
