//! Where it is mounted, and how: with the system call where that is allowed, otherwise by `fusermount3`.
//!
//! The program that helps gets nothing of this one's environment but where programs are, and its end of a
//! socket as standard input.

use std::ffi::{CString, OsStr};
use std::io::{ErrorKind, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crossbeam_channel::{Receiver, bounded};
use engine::base::limits::KIB;
use engine::base::path::escape;
use engine::disk::child::child;
use fuser::{Config, Session, SessionACL};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::command::mount::door::Door;
use crate::command::place::overlap;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};

const DEVICE: &str = "/dev/fuse";
/// The programs that mount for those who may not, newest first.
const HELPERS: [&str; 2] = ["fusermount3", "fusermount"];
/// What a helper says of a failure, at most.
const WORDS_MAX_BYTES: u64 = 4 * KIB as u64;

/// The words that unmount a folder by hand.
#[must_use]
pub fn by_hand(folder: &Path) -> String {
    format!("fusermount3 -u {}", escape(folder.as_os_str().as_bytes()))
}

/// A folder that will do.
pub struct Point {
    folder: PathBuf,
}

impl Point {
    /// Looks at a folder.
    ///
    /// # Errors
    /// Exit code 2 for a folder that will not do.
    pub fn find(folder: &Path) -> Result<Self, Fault> {
        let shown = folder.display();
        let whole = folder.canonicalize().and_then(|it| it.metadata().map(|found| (it, found)));
        let (folder, found) = whole.map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::NOTCONN.raw_os_error() => {
                Fault::usage(format!("{shown} is what is left of a mount whose program is gone"))
                    .hint(format!("`{}` clears it; then repeat the command", by_hand(folder)))
            }
            Some(code) if code == Errno::NOENT.raw_os_error() => {
                Fault::usage(format!("{shown} is not there")).hint("make it first: mkdir")
            }
            _ => Fault::usage(format!("{shown} cannot be looked at")).because(&error),
        })?;
        if !found.is_dir() {
            return Err(Fault::usage(format!("{shown} is no folder")).hint("name an empty folder"));
        }
        if is_mounted(&folder) {
            return Err(Fault::usage(format!("something is mounted at {shown} already")).hint(
                format!("name another folder, or unmount that first: {}", by_hand(&folder)),
            ));
        }
        let mut items = folder.read_dir().map_err(|error| {
            Fault::usage(format!("{shown} cannot be looked into")).because(&error)
        })?;
        match items.next() {
            None => Ok(Self { folder }),
            Some(_) => {
                Err(Fault::usage(format!("{shown} is not empty: what is in it would be hidden"))
                    .hint("name an empty folder"))
            }
        }
    }

    /// Refuses a folder that lies in one of these, or has one of them in it.
    ///
    /// # Errors
    /// Exit code 2.
    pub fn require_apart(&self, folders: &[Option<&Path>]) -> Result<(), Fault> {
        let mut within = folders.iter().flatten().filter(|one| overlap(one, &self.folder));
        match within.next() {
            None => Ok(()),
            Some(one) => Err(Fault::usage(format!(
                "{} and {} lie in one another",
                self.folder.display(),
                one.display()
            ))
            .hint("name a folder apart from the repository and from the state of this machine")),
        }
    }

    /// Mounts; nobody answers the kernel yet.
    ///
    /// # Errors
    /// Exit code 1 if this machine or this user cannot.
    pub fn mount(self, allows_others: bool, around: &Surroundings) -> Result<Attached, Fault> {
        // Permissions are for others: whoever mounts can read everything in the repository anyway.
        let more = if allows_others { ",allow_other,default_permissions" } else { "" };
        let device = match self.by_system_call(more) {
            Ok(device) => device,
            Err(Errno::PERM) => self.by_helper(more, around)?,
            Err(errno) => return Err(self.not_mounted(&std::io::Error::from(errno))),
        };
        let folder = self.folder;
        Ok(Attached { folder, allows_others, is_mounted: true, device: Some(device) })
    }

    fn by_system_call(&self, more: &str) -> Result<OwnedFd, Errno> {
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
        let device = rustix::fs::open(DEVICE, flags, rustix::fs::Mode::empty())?;
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        let data = format!(
            "fd={},rootmode=40555,user_id={},group_id={}{more}",
            device.as_raw_fd(),
            user.as_raw(),
            group.as_raw()
        );
        let data = CString::new(data).map_err(|_| Errno::INVAL)?;
        let flags = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID;
        mount("mainstay", &self.folder, "fuse.mainstay", flags, data.as_c_str())?;
        Ok(device)
    }

    fn by_helper(&self, more: &str, around: &Surroundings) -> Result<OwnedFd, Fault> {
        let options = format!("ro,nosuid,nodev,fsname=mainstay,subtype=mainstay{more}");
        for name in HELPERS {
            let failed = |error: &std::io::Error| self.not_mounted(error);
            let (ours, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
            let mut helper = helper(name, around);
            helper.arg("-o").arg(&options).arg("--").arg(&self.folder);
            helper.env("_FUSE_COMMFD", "0").stdin(Stdio::from(OwnedFd::from(theirs)));
            let mut started = match helper.stderr(Stdio::piped()).spawn() {
                Ok(started) => started,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&error)),
            };
            // Its end is open here as well for as long as it is to be started.
            drop(helper);
            let received = receive(&ours);
            let mut words = Vec::new();
            if let Some(pipe) = started.stderr.take() {
                // What it says is only for people.
                let _ = pipe.take(WORDS_MAX_BYTES).read_to_end(&mut words);
            }
            let _ = started.wait();
            return match received {
                Some(device) => Ok(device),
                None => {
                    let words = String::from_utf8_lossy(&words).trim().to_owned();
                    Err(self.not_mounted(&std::io::Error::other(format!("{name}: {words}"))))
                }
            };
        }
        let missing = std::io::Error::other("only root may mount, and there is no fusermount3");
        Err(self.not_mounted(&missing))
    }

    fn not_mounted(&self, error: &std::io::Error) -> Fault {
        let words = format!("nothing can be mounted at {}", self.folder.display());
        let hint = match error.raw_os_error() {
            Some(code)
                if code == Errno::NOENT.raw_os_error() || code == Errno::NODEV.raw_os_error() =>
            {
                "this machine has no /dev/fuse: load the module (modprobe fuse), or give the container \
                 the device and CAP_SYS_ADMIN; without, `mainstay restore` and `mainstay dump` bring \
                 files back"
            }
            _ if error.to_string().contains("user_allow_other") => {
                "leave --allow-other out, or let root put user_allow_other into /etc/fuse.conf"
            }
            _ => {
                "mount as root, or install the package fuse3; a container needs /dev/fuse and \
                 CAP_SYS_ADMIN. Without, `mainstay restore` and `mainstay dump` bring files back"
            }
        };
        Fault::new(ExitCode::Failed, "E_NO_FUSE", words).because(error).hint(hint)
    }
}

/// A helper with nothing but the way to programs.
fn helper(name: &str, around: &Surroundings) -> Command {
    let path = around.variables.iter().filter(|(name, _)| *name == "PATH");
    let mut command = child(OsStr::new(name), path.map(|(a, b)| (a.clone(), b.clone())));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The descriptor that a helper sends, if it sends one.
fn receive(socket: &UnixStream) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut into = [IoSliceMut::new(&mut byte)];
    loop {
        match recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(_) => return None,
            Ok(_) => break,
        }
    }
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}

/// Whether something is mounted at just this folder.
fn is_mounted(folder: &Path) -> bool {
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut points = mounts.split(|byte| *byte == b'\n').filter_map(|line| {
        let point = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(unescaped(point))))
    });
    points.any(|point| point == folder)
}

/// The kernel writes white space and backslashes as `\` and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    bytes
}

/// A mount of ours: unmounted at the latest when this is dropped.
pub struct Attached {
    folder: PathBuf,
    allows_others: bool,
    is_mounted: bool,
    device: Option<OwnedFd>,
}

impl Attached {
    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether other users may look into it.
    #[must_use]
    pub fn allows_others(&self) -> bool {
        self.allows_others
    }

    /// Takes requests from now on. What is answered tells that there will be none any more.
    ///
    /// # Errors
    /// Exit code 1 if the kernel and this program do not understand each other.
    pub fn begin(&mut self, door: Door) -> Result<Receiver<()>, Fault> {
        let failed = |error: &std::io::Error| {
            Fault::new(ExitCode::Failed, "E_NO_FUSE", "the kernel cannot be answered")
                .because(error)
        };
        let Some(device) = self.device.take() else {
            return Err(failed(&std::io::Error::other("it is answered already")));
        };
        let access = if self.allows_others { SessionACL::All } else { SessionACL::Owner };
        let mut config = Config::default();
        config.acl = access;
        let session = Session::from_fd(door, device, access, config);
        let session = session.map_err(|error| failed(&error))?;
        let (end, ended) = bounded(1);
        let thread = std::thread::Builder::new().name("requests".to_owned());
        let spawned = thread.spawn(move || {
            // However it ends, there will be no more.
            let _ = session.run();
            let _ = end.send(());
        });
        spawned.map_err(|error| failed(&error))?;
        Ok(ended)
    }

    /// Somebody else has unmounted it.
    pub fn is_gone(&mut self) {
        self.is_mounted = false;
    }

    /// Unmounts; answers whether somebody still worked in it.
    ///
    /// # Errors
    /// Exit code 1 if it cannot be unmounted.
    pub fn detach(&mut self) -> Result<bool, Fault> {
        if !std::mem::replace(&mut self.is_mounted, false) {
            return Ok(false);
        }
        match unmount(&self.folder, UnmountFlags::NOFOLLOW) {
            Ok(()) | Err(Errno::INVAL) => return Ok(false),
            Err(Errno::BUSY) => {
                let lazily = UnmountFlags::NOFOLLOW | UnmountFlags::DETACH;
                if unmount(&self.folder, lazily).is_ok() {
                    return Ok(true);
                }
            }
            Err(_) => {}
        }
        let helped = |options: &[&str]| {
            HELPERS.iter().any(|name| {
                let mut command = child(OsStr::new(name), std::iter::empty());
                command.args(options).arg("--").arg(&self.folder);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            })
        };
        if helped(&["-u"]) {
            return Ok(false);
        }
        if helped(&["-u", "-z"]) {
            return Ok(true);
        }
        Err(Fault::local(format!("{} cannot be unmounted", self.folder.display()))
            .hint(format!("do it by hand: fusermount3 -u -z {}", self.folder.display())))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // Whoever drops it has an error to tell already.
        let _ = self.detach();
    }
}
