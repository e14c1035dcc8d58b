//! A SQLite VFS that writes each commit to the `-wal` file in one system call.
//!
//! It is SQLite's default VFS with a few functions replaced. SQLite writes two pieces for each page that a
//! transaction changed. Here they are held in a [`LogBuffer`] until one of these:
//!
//! | reason | why |
//! |---|---|
//! | the last frame of a commit is complete | SQLite then reports the commit, or the error of this write |
//! | sync | a commit is on the disk afterwards |
//! | read, file size, truncate, file control, close | they must see the file as SQLite wrote it |
//! | a write elsewhere, or too large a transaction | the order of writes is kept |
//! | the write lock is released | what a transaction wrote before it was rolled back must not come later, over the frames of another connection |
//! | a barrier | other connections may read what is published before it |
//!
//! So no other connection, and no later read, can tell the difference. If the machine stops in the middle of
//! the one write, SQLite finds a frame with a wrong checksum and ignores the commit, as it does with two writes
//! for each page. All other files, and all reads of the database, go to the default VFS directly.

#![expect(unsafe_code, reason = "SQLite calls these functions with pointers that it owns")]

mod log_buffer;
#[cfg(test)]
mod tests;

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::OnceLock,
};

use libsqlite3_sys::{
    SQLITE_ERROR, SQLITE_OK, SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_WAL, SQLITE_SHM_EXCLUSIVE, SQLITE_SHM_UNLOCK,
    sqlite3_database_file_object, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods,
    sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use self::log_buffer::LogBuffer;

type Open =
    unsafe extern "C" fn(*mut sqlite3_vfs, sqlite3_filename, *mut sqlite3_file, c_int, *mut c_int) -> c_int;

/// SQLite's default VFS.
struct DefaultVfs {
    open: Open,
    /// Bytes of its file objects. Our state of a file is stored behind them.
    file_size: usize,
}

static DEFAULT: OnceLock<DefaultVfs> = OnceLock::new();

/// Makes this VFS the default of the process, once.
///
/// # Errors
/// SQLite's result code, if it does not accept the VFS.
pub(super) fn register() -> Result<(), c_int> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    // SAFETY: SQLite initializes itself, and both functions may be called on any thread.
    match *REGISTERED.get_or_init(|| unsafe { try_register() }) {
        SQLITE_OK => Ok(()),
        code => Err(code),
    }
}

unsafe fn try_register() -> c_int {
    // SAFETY: a VFS that SQLite returns is valid for the rest of the process.
    unsafe {
        let Some(found) = sqlite3_vfs_find(ptr::null()).as_ref() else { return SQLITE_ERROR };
        let Some(open_default) = found.xOpen else { return SQLITE_ERROR };
        let file_size = (found.szOsFile as usize).next_multiple_of(align_of::<State>());
        DEFAULT.get_or_init(|| DefaultVfs { open: open_default, file_size });
        // The other functions do not depend on which VFS they are called for.
        let ours = Box::leak(Box::new(*found));
        ours.pNext = ptr::null_mut();
        ours.zName = c"greenroom".as_ptr();
        ours.szOsFile = (file_size + size_of::<State>()) as c_int;
        ours.xOpen = Some(open);
        sqlite3_vfs_register(ours, 1)
    }
}

/// What a file object has behind that of the default VFS. A connection is used by one thread at a time, and so
/// are its files.
struct State {
    /// The replaced functions. `default` has those that they call.
    methods: sqlite3_io_methods,
    default: *const sqlite3_io_methods,
    /// The other file of the connection: the `-wal` file of a database, or the database of a `-wal` file. Null
    /// if it is not open.
    other: *mut sqlite3_file,
    /// Of a `-wal` file.
    buffer: LogBuffer,
}

/// Returns the state of a database or a `-wal` file.
///
/// # Safety
/// `file` is open, was opened by [`open`], and has a state.
unsafe fn state<'a>(file: *mut sqlite3_file) -> &'a mut State {
    let offset = DEFAULT.get().map_or(0, |default| default.file_size);
    // SAFETY: SQLite allocates `szOsFile` bytes for a file, aligned to 8, and `open` has stored the state.
    unsafe { &mut *file.byte_add(offset).cast::<State>() }
}

/// Opens a file. Databases and `-wal` files get functions of ours.
unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(default) = DEFAULT.get() else { return SQLITE_ERROR };
    // SAFETY: these are SQLite's own arguments. On success, `pMethods` is valid while the file is open. The
    // database of a `-wal` file is open before it and closed after it.
    unsafe {
        let code = (default.open)(vfs, name, file, flags, out_flags);
        if code != SQLITE_OK || flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL) == 0 {
            return code;
        }
        let is_log = flags & SQLITE_OPEN_WAL != 0;
        let other = if is_log { sqlite3_database_file_object(name) } else { ptr::null_mut() };
        let default = (*file).pMethods;
        let methods = if is_log { log_methods(*default) } else { database_methods(*default) };
        let new = State { methods, default, other, buffer: LogBuffer::default() };
        let place: *mut State = state(file);
        place.write(new);
        (*file).pMethods = &raw const (*place).methods;
        if !other.is_null() {
            state(other).other = file;
        }
        code
    }
}

fn database_methods(default: sqlite3_io_methods) -> sqlite3_io_methods {
    sqlite3_io_methods {
        xClose: Some(close),
        // Some file systems have no shared memory.
        xShmLock: default.xShmLock.and(Some(lock_shared_memory)),
        xShmBarrier: default.xShmBarrier.and(Some(barrier)),
        ..default
    }
}

fn log_methods(default: sqlite3_io_methods) -> sqlite3_io_methods {
    sqlite3_io_methods {
        xClose: Some(close),
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xFileSize: Some(file_size),
        xFileControl: Some(control),
        ..default
    }
}

/// Calls a function of the default VFS on a file.
macro_rules! default {
    ($file:ident, $method:ident $(, $argument:expr)*) => {
        match (*state($file).default).$method {
            Some(method) => method($file $(, $argument)*),
            None => SQLITE_ERROR,
        }
    };
}

/// Writes what is held of a `-wal` file. After an error it is forgotten: SQLite rolls back the transaction.
unsafe fn flush(log: *mut sqlite3_file) -> c_int {
    // SAFETY: the callers pass an open `-wal` file. The write copies the bytes.
    unsafe {
        let (offset, bytes) = state(log).buffer.held();
        if bytes.is_empty() {
            return SQLITE_OK;
        }
        let code = default!(log, xWrite, bytes.as_ptr().cast(), bytes.len() as c_int, offset);
        state(log).buffer.clear();
        code
    }
}

/// Writes what is held of a `-wal` file, then calls a function of the default VFS.
macro_rules! flush_then {
    ($file:ident, $method:ident $(, $argument:expr)*) => {
        match flush($file) {
            SQLITE_OK => default!($file, $method $(, $argument)*),
            code => code,
        }
    };
}

// SAFETY of all functions below: SQLite calls them with an open file that `open` gave these functions to.

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: sqlite3_int64,
) -> c_int {
    unsafe {
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), len as usize);
        if !state(file).buffer.accepts(offset, bytes.len()) {
            let code = flush(file);
            if code != SQLITE_OK {
                return code;
            }
        }
        if state(file).buffer.push(offset, bytes) { flush(file) } else { SQLITE_OK }
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    bytes: *mut c_void,
    len: c_int,
    offset: sqlite3_int64,
) -> c_int {
    unsafe { flush_then!(file, xRead, bytes, len, offset) }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    unsafe { flush_then!(file, xTruncate, size) }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    unsafe { flush_then!(file, xSync, flags) }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    unsafe { flush_then!(file, xFileSize, size) }
}

unsafe extern "C" fn control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    unsafe { flush_then!(file, xFileControl, operation, argument) }
}

/// Closes either file.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let flushed = flush(file);
        let other = state(file).other;
        if !other.is_null() {
            state(other).other = ptr::null_mut();
        }
        let closed = default!(file, xClose);
        ptr::drop_in_place(state(file));
        if flushed == SQLITE_OK { closed } else { flushed }
    }
}

/// Locks or unlocks a part of the `-shm` file. An exclusive lock that ends may be that of the writer.
unsafe extern "C" fn lock_shared_memory(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    unsafe {
        let log = state(file).other;
        if flags & SQLITE_SHM_UNLOCK != 0 && flags & SQLITE_SHM_EXCLUSIVE != 0 && !log.is_null() {
            // Only frames of no commit are left. Whether they are written does not matter.
            flush(log);
        }
        default!(file, xShmLock, offset, count, flags)
    }
}

unsafe extern "C" fn barrier(file: *mut sqlite3_file) {
    unsafe {
        let log = state(file).other;
        if !log.is_null() {
            flush(log);
        }
        if let Some(method) = (*state(file).default).xShmBarrier {
            method(file);
        }
    }
}
