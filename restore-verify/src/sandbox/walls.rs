//! Files, capabilities and limits: what a confined process gives up for good.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::sandbox::job::{Job, Task, Text};

/// Open files of one process.
const FILES_MAX: u64 = 1024;

/// Gives up all files but those of `job`; answers the version of Landlock in force, 0 for none.
///
/// # Errors
/// If the kernel has it and refuses.
pub fn close_files(job: &Job, closes_network: bool) -> Result<u8, RulesetError> {
    let newest = ABI::V10;
    let all = AccessFs::from_all(newest);
    let look = AccessFs::ReadFile | AccessFs::ReadDir;
    // Neither devices nor what is not there today.
    let change: BitFlags<AccessFs> = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let paths = |texts: &[Text]| texts.iter().map(Text::to_path).collect::<Vec<PathBuf>>();
    let mut rules = Ruleset::default().handle_access(all)?.scope(Scope::from_all(newest))?;
    if closes_network {
        rules = rules.handle_access(AccessNet::from_all(newest))?;
    }
    let status = rules
        .create()?
        .add_rules(path_beneath_rules(paths(&job.readable), look))?
        .add_rules(path_beneath_rules(paths(&job.executable), look | AccessFs::Execute))?
        .add_rules(path_beneath_rules(paths(&job.writable), change))?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => 0,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi as u8,
        (_, _) => 0,
    })
}

/// Gives up what root may do beyond its files, and for a command beyond becoming another user.
///
/// # Errors
/// If the kernel refuses.
pub fn drop_capabilities(task: Task) -> rustix::io::Result<()> {
    let files = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    let users = CapabilitySet::CHOWN
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::KILL
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID;
    let kept = if task == Task::Command { files | users } else { files };
    let now = capabilities(None)?;
    let sets = CapabilitySets {
        effective: now.effective & kept,
        permitted: now.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets)
}

/// Limits that hold for every process below; answers whether all of them do.
pub fn limit(job: &Job) -> bool {
    let fixed = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    let mut wanted = vec![
        (Resource::Core, fixed(0)),
        (Resource::Fsize, fixed(job.file_bytes)),
        (Resource::Nofile, fixed(FILES_MAX)),
    ];
    // A command gets its limit when it begins: this process needs some memory itself.
    if job.task != Task::Command {
        wanted.push((Resource::As, fixed(job.memory_bytes)));
    }
    wanted.into_iter().fold(true, |all, (resource, most)| setrlimit(resource, most).is_ok() && all)
}
