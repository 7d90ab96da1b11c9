//! Namespaces: a network of its own with nothing but loopback, and no other processes in sight.
//!
//! Root may make them, others only together with a user namespace, and some systems forbid that as
//! well. Whatever cannot be had is left out and told.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::process::{getgid, getuid};
use rustix::thread::set_no_new_privs;

/// What was achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// The network has loopback only.
    pub network: bool,
    /// Children are the only processes that they see.
    pub processes: bool,
}

/// Separates this process, which has one thread, and its children from the rest of the machine.
pub fn separate(keeps_network: bool) -> Apart {
    // Without these two the rest still holds; what they are for is asked again where it matters.
    let _ = set_no_new_privs(true);
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let network = if keeps_network { CloneFlags::empty() } else { CloneFlags::CLONE_NEWNET };
    let processes = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    for wanted in [network | processes, network] {
        if wanted.is_empty() {
            continue;
        }
        let is_had = unshare(wanted).is_ok()
            || (unshare(wanted | CloneFlags::CLONE_NEWUSER).is_ok()
                && stay_who_i_am(user, group).is_ok());
        if is_had {
            let network = !network.is_empty();
            if network {
                // A test that needs loopback says so itself if it is missing.
                drop(raise_loopback());
            }
            return Apart { network, processes: wanted.contains(processes) };
        }
    }
    Apart { network: false, processes: false }
}

/// Maps this user to itself: the files that it restored stay its own.
fn stay_who_i_am(user: u32, group: u32) -> io::Result<()> {
    let put = |path: &str, text: &str| {
        OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
    };
    put("/proc/self/uid_map", &format!("{user} {user} 1"))?;
    put("/proc/self/setgroups", "deny")?;
    put("/proc/self/gid_map", &format!("{group} {group} 1"))
}

/// `ip link set lo up`, as one message to the kernel: in a new namespace it is interface 1.
fn raise_loopback() -> io::Result<()> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 5;
    const UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend_from_slice(&32_u32.to_ne_bytes());
    message.extend_from_slice(&NEW_LINK.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend_from_slice(&[0; 8]); // number of the message, address of the sender
    message.extend_from_slice(&[0; 4]); // family, padding, kind of device
    message.extend_from_slice(&1_u32.to_ne_bytes());
    message.extend_from_slice(&UP.to_ne_bytes());
    message.extend_from_slice(&UP.to_ne_bytes());
    let (family, protocol) = (AddressFamily::Netlink, SockProtocol::NetlinkRoute);
    let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    let descriptor = socket.as_raw_fd();
    sendto(descriptor, &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    // Until it is acknowledged, a test could start too early.
    let mut answer = [0_u8; 256];
    recv(descriptor, &mut answer, MsgFlags::empty())?;
    Ok(())
}
