//! Where requests of the kernel come in: each becomes a job for a thread of its kind.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use crossbeam_channel::{Receiver, Sender, bounded};
use engine::base::limits::{MIB, MOUNT_QUEUE_REQUESTS};
use fuser::{
    FileHandle, Filesystem, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, ReplyAttr,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyXattr, Request,
};

use crate::command::mount::answers::{Answers, Job};

/// Requests for content that the kernel may have open at once on its own account.
const BACKGROUND_REQUESTS: u16 = 64;
/// What a request may be long: reads are bounded by it as well.
const REQUEST_MAX_BYTES: u32 = MIB as u32;
/// Longest name that the file system can hold.
const NAME_MAX_BYTES: u32 = 255;
const BLOCK_BYTES: u32 = 4096;

/// Takes requests and answers none.
pub struct Door {
    looks: Sender<Job>,
    reads: Sender<Job>,
    /// Whether the kernel is to keep users to owners, permissions and ACLs.
    is_for_all: bool,
}

impl Door {
    /// The door, and what comes in: about names and metadata, and about content.
    #[must_use]
    pub fn new(is_for_all: bool) -> (Self, Receiver<Job>, Receiver<Job>) {
        let (looks, looked) = bounded(MOUNT_QUEUE_REQUESTS);
        let (reads, read) = bounded(MOUNT_QUEUE_REQUESTS);
        (Self { looks, reads, is_for_all }, looked, read)
    }

    /// If all threads are gone, the job is dropped, which answers it.
    fn look(&self, job: impl FnOnce(&Answers<'_, '_>) + Send + 'static) {
        let _ = self.looks.send(Box::new(job));
    }

    fn read(&self, job: impl FnOnce(&Answers<'_, '_>) + Send + 'static) {
        let _ = self.reads.send(Box::new(job));
    }
}

impl Filesystem for Door {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // What an old kernel does not have it does without.
        for wanted in [
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_PARALLEL_DIROPS,
        ] {
            let _ = config.add_capabilities(wanted);
        }
        if self.is_for_all {
            // Without, the bits of the group would count, which are the most that an ACL may grant.
            config.add_capabilities(InitFlags::FUSE_POSIX_ACL).map_err(|_| {
                io::Error::other("this kernel does not keep users to ACLs, so they are not let in")
            })?;
        }
        let _ = config.set_max_write(REQUEST_MAX_BYTES);
        let _ = config.set_max_background(BACKGROUND_REQUESTS);
        if let Err(most) = config.set_max_readahead(REQUEST_MAX_BYTES) {
            let _ = config.set_max_readahead(most);
        }
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.as_bytes().to_vec();
        self.look(move |answers| answers.look_up(parent, &name, reply));
    }

    fn forget(&self, _request: &Request, inode: INodeNo, lookups: u64) {
        self.look(move |answers| answers.forget(inode, lookups));
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        self.look(move |answers| answers.attributes(inode, reply));
    }

    fn readlink(&self, _request: &Request, inode: INodeNo, reply: ReplyData) {
        self.look(move |answers| answers.link_target(inode, reply));
    }

    fn open(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.look(move |answers| answers.open(inode, reply));
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.read(move |answers| answers.read(inode, handle, (offset, size), reply));
    }

    fn release(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.look(move |answers| answers.close(handle, reply));
    }

    fn opendir(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.look(move |answers| answers.open_folder(inode, reply));
    }

    fn readdir(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        self.look(move |answers| answers.list(inode, handle, offset, reply));
    }

    fn readdirplus(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.look(move |answers| answers.list_with_attributes(inode, handle, offset, reply));
    }

    fn releasedir(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.look(move |answers| answers.close_folder(handle, reply));
    }

    fn statfs(&self, _request: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        // Nothing is free, and how much there is depends on how one counts.
        reply.statfs(0, 0, 0, 0, 0, BLOCK_BYTES, NAME_MAX_BYTES, BLOCK_BYTES);
    }

    fn getxattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        name: &OsStr,
        size: u32,
        reply: ReplyXattr,
    ) {
        let name = name.as_bytes().to_vec();
        self.look(move |answers| answers.xattr(inode, &name, size, reply));
    }

    fn listxattr(&self, _request: &Request, inode: INodeNo, size: u32, reply: ReplyXattr) {
        self.look(move |answers| answers.xattr_names(inode, size, reply));
    }

    fn lseek(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.read(move |answers| answers.seek(inode, handle, (offset, whence), reply));
    }
}
