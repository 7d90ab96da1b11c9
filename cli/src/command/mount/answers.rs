//! Answers to the kernel, from what the engine says.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use engine::base::time::Timestamp;
use engine::format::entry::{DeviceNumber, EntryKind};
use engine::mount::attributes::Attributes;
use engine::mount::error::MountError;
use engine::mount::view::View;
use fuser::{
    Errno, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyXattr,
};

use crate::command::mount::fresh::Fresh;
use crate::ui::Ui;

/// What a snapshot holds does not change.
const LASTING: Duration = Duration::from_secs(3600);
/// What may be another thing soon.
const FLEETING: Duration = Duration::from_secs(1);
/// Size of a block for whoever asks how much to read at once.
const BLOCK_BYTES: u32 = 128 * 1024;
/// Different failures that are told; more tell nobody anything.
const TOLD_MAX: usize = 100;
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;
/// Positions of `.` and `..` come before those of items.
const DOTS: u64 = 2;
const GENERATION: Generation = Generation(0);

/// What is to be answered. A job that is dropped answers that it failed.
pub type Job = Box<dyn FnOnce(&Answers<'_, '_>) + Send>;

/// Answers requests.
pub struct Answers<'v, 'b> {
    view: &'v View<'b>,
    fresh: &'v Fresh,
    ui: &'v Ui,
    /// Whether others may look, so that permissions must be what they were.
    is_for_all: bool,
    told: Mutex<HashSet<String>>,
}

impl<'v, 'b> Answers<'v, 'b> {
    /// From `view`.
    #[must_use]
    pub fn new(view: &'v View<'b>, fresh: &'v Fresh, ui: &'v Ui, is_for_all: bool) -> Self {
        Self { view, fresh, ui, is_for_all, told: Mutex::default() }
    }

    /// Carries a job out. One that panics answers that it failed, and nothing more.
    pub fn run(&self, job: Job) {
        // How it broke was told where it did.
        let _ = catch_unwind(AssertUnwindSafe(|| job(self)));
    }

    /// The number of an error, which is told once if it is a failure.
    fn errno(&self, inode: INodeNo, error: &MountError) -> Errno {
        match error {
            MountError::NoEntry => Errno::ENOENT,
            MountError::NotAFolder => Errno::ENOTDIR,
            MountError::NotAFile | MountError::NotALink => Errno::EINVAL,
            MountError::Stale => Errno::ESTALE,
            MountError::NoAttribute => Errno::ENODATA,
            MountError::NothingBehind => Errno::ENXIO,
            MountError::Unread | MountError::Tree(_) | MountError::Blob(_) => {
                self.tell(inode, &error.to_string());
                Errno::EIO
            }
        }
    }

    fn tell(&self, inode: INodeNo, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(why.to_owned()) {
            self.ui.problem("reading", &self.view.path_of(inode.0), why);
        }
    }

    /// Waits for a look at the store where snapshots are listed.
    fn refresh(&self, inode: INodeNo) {
        if self.view.is_scene(inode.0) {
            self.fresh.wait();
        }
    }

    /// `lookup`.
    pub fn look_up(&self, parent: INodeNo, name: &[u8], reply: ReplyEntry) {
        self.refresh(parent);
        let name_lasts = if self.view.is_scene(parent.0) { FLEETING } else { LASTING };
        match self.view.look_up(parent.0, name) {
            Ok(found) => {
                let lasts = lasting(&found);
                let name_lasts = name_lasts.min(lasts);
                reply.entry_with_ttls(&lasts, &name_lasts, &self.convert(&found), GENERATION);
            }
            Err(error) => reply.error(self.errno(parent, &error)),
        }
    }

    /// `forget`.
    pub fn forget(&self, inode: INodeNo, lookups: u64) {
        self.view.forget(inode.0, lookups);
    }

    /// `getattr`.
    pub fn attributes(&self, inode: INodeNo, reply: ReplyAttr) {
        match self.view.attributes(inode.0) {
            Ok(found) => reply.attr(&lasting(&found), &self.convert(&found)),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `readlink`.
    pub fn link_target(&self, inode: INodeNo, reply: ReplyData) {
        match self.view.link_target(inode.0) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `open`.
    pub fn open(&self, inode: INodeNo, reply: ReplyOpen) {
        match self.view.open(inode.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `read`, at an offset and so many bytes.
    pub fn read(&self, inode: INodeNo, handle: FileHandle, at: (u64, u32), reply: ReplyData) {
        match self.view.read(handle.0, at.0, at.1) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `lseek`, to an offset of a kind.
    pub fn seek(&self, inode: INodeNo, handle: FileHandle, to: (i64, i32), reply: ReplyLseek) {
        let offset = u64::try_from(to.0);
        let (Ok(offset), SEEK_DATA | SEEK_HOLE) = (offset, to.1) else {
            return reply.error(Errno::EINVAL);
        };
        match self.view.seek(handle.0, offset, to.1 == SEEK_DATA) {
            Ok(found) => reply.offset(i64::try_from(found).unwrap_or(i64::MAX)),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `release`.
    pub fn close(&self, handle: FileHandle, reply: ReplyEmpty) {
        self.view.close(handle.0);
        reply.ok();
    }

    /// `opendir`.
    pub fn open_folder(&self, inode: INodeNo, reply: ReplyOpen) {
        self.refresh(inode);
        match self.view.open_folder(inode.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `releasedir`.
    pub fn close_folder(&self, handle: FileHandle, reply: ReplyEmpty) {
        self.view.close_folder(handle.0);
        reply.ok();
    }

    /// `readdir`.
    pub fn list(&self, inode: INodeNo, handle: FileHandle, from: u64, mut reply: ReplyDirectory) {
        for (position, name) in (1..=DOTS).zip([".", ".."]).skip(from as usize) {
            let number = if name == "." { inode.0 } else { self.view.number_above(inode.0) };
            if reply.add(INodeNo(number), position, FileType::Directory, name) {
                return reply.ok();
            }
        }
        let listed = self.view.list(handle.0, from.saturating_sub(DOTS), &mut |position, item| {
            let number = INodeNo(self.view.number(item));
            let name = OsStr::from_bytes(&item.name);
            !reply.add(number, position + DOTS, file_type(item.kind), name)
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `readdirplus`.
    pub fn list_with_attributes(
        &self,
        inode: INodeNo,
        handle: FileHandle,
        from: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        for (position, name) in (1..=DOTS).zip([".", ".."]).skip(from as usize) {
            let number = if name == "." { inode.0 } else { self.view.number_above(inode.0) };
            let none = Attributes::of_folder(number, (0, 0), Timestamp::default());
            let attributes = self.convert(&none);
            if reply.add(attributes.ino, position, name, &FLEETING, &attributes, GENERATION) {
                return reply.ok();
            }
        }
        let is_scene = self.view.is_scene(inode.0);
        let listed = self.view.list(handle.0, from.saturating_sub(DOTS), &mut |position, item| {
            // One that is gone meanwhile is left out.
            let Ok(told) = self.view.tell(item) else { return true };
            let lasts = if is_scene { FLEETING } else { lasting(&told) };
            let attributes = self.convert(&told);
            let name = OsStr::from_bytes(&item.name);
            let position = position + DOTS;
            let is_full =
                reply.add(attributes.ino, position, name, &lasts, &attributes, GENERATION);
            if is_full {
                // The kernel was not told of it after all.
                self.view.forget(told.inode, 1);
            }
            !is_full
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    /// `getxattr`.
    pub fn xattr(&self, inode: INodeNo, name: &[u8], size: u32, reply: ReplyXattr) {
        self.sized(inode, self.view.xattr(inode.0, name), size, reply);
    }

    /// `listxattr`.
    pub fn xattr_names(&self, inode: INodeNo, size: u32, reply: ReplyXattr) {
        self.sized(inode, self.view.xattr_names(inode.0), size, reply);
    }

    /// With a size of 0 the length is asked for, and nothing is cut.
    fn sized(
        &self,
        inode: INodeNo,
        found: Result<Vec<u8>, MountError>,
        size: u32,
        reply: ReplyXattr,
    ) {
        match found {
            Ok(bytes) if size == 0 => reply.size(bytes.len() as u32),
            Ok(bytes) if bytes.len() > size as usize => reply.error(Errno::ERANGE),
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(self.errno(inode, &error)),
        }
    }

    fn convert(&self, of: &Attributes) -> FileAttr {
        // A folder whose entry cannot be read may have been closed to others.
        let is_unknown = self.is_for_all && of.kind == EntryKind::Directory && !of.is_lasting;
        let mode = if is_unknown && !self.view.is_scene(of.inode) { 0o500 } else { of.mode };
        FileAttr {
            ino: INodeNo(of.inode),
            size: of.size_bytes,
            blocks: of.blocks,
            atime: system_time(of.atime),
            mtime: system_time(of.mtime),
            ctime: system_time(of.ctime),
            crtime: SystemTime::UNIX_EPOCH,
            kind: file_type(of.kind),
            perm: mode as u16,
            nlink: of.link_count,
            uid: of.uid,
            gid: of.gid,
            rdev: of.device_number.map_or(0, encoded),
            blksize: BLOCK_BYTES,
            flags: 0,
        }
    }
}

fn lasting(of: &Attributes) -> Duration {
    if of.is_lasting { LASTING } else { FLEETING }
}

fn file_type(kind: EntryKind) -> FileType {
    match kind {
        EntryKind::File => FileType::RegularFile,
        EntryKind::Directory => FileType::Directory,
        EntryKind::Symlink => FileType::Symlink,
        EntryKind::Fifo => FileType::NamedPipe,
        EntryKind::Socket => FileType::Socket,
        EntryKind::CharDevice => FileType::CharDevice,
        EntryKind::BlockDevice => FileType::BlockDevice,
    }
}

/// A time that the system cannot hold becomes 1970.
fn system_time(time: Timestamp) -> SystemTime {
    let whole = Duration::from_secs(time.seconds.unsigned_abs());
    let second = match time.seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(whole),
        false => SystemTime::UNIX_EPOCH.checked_add(whole),
    };
    let nanos = Duration::from_nanos(u64::from(time.nanos));
    second.and_then(|second| second.checked_add(nanos)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Major and minor number as the kernel takes them.
fn encoded(number: DeviceNumber) -> u32 {
    (number.minor & 0xff) | (number.major << 8) | ((number.minor & !0xff) << 12)
}
