//! Which profiles are meant, and what they inherit.

use std::collections::BTreeSet;

use crate::resticprofile::ProfileError;
use crate::translate::{Work, clean_name};
use crate::tree::{Node, Section, Value, lay_over};

/// Names at the top of a file of version 1 that are no profiles.
const NO_PROFILES: [&str; 7] =
    ["global", "groups", "includes", "version", "mixins", "schedules", "$schema"];
/// Depth of inheritance.
const INHERIT_MAX: usize = 32;

/// The profiles, taken out of the file.
pub(super) fn profiles_of(top: &mut Section) -> Vec<(String, Node)> {
    if let Some(node) = top.take("profiles") {
        return node.section().entries;
    }
    let mut profiles = Vec::new();
    for (name, node) in std::mem::take(&mut top.entries) {
        match &node.value {
            Value::Table(_) if !NO_PROFILES.contains(&name.as_str()) => profiles.push((name, node)),
            _ => top.entries.push((name, node)),
        }
    }
    profiles
}

pub(super) fn choose(
    profiles: &[(String, Node)],
    groups: Option<&Node>,
    wanted: Option<&str>,
) -> Result<Vec<String>, ProfileError> {
    let with_sources: Vec<String> = profiles
        .iter()
        .filter(|(_, node)| match &node.value {
            Value::Table(entries) => entries.iter().any(|(name, node)| {
                name == "backup" && matches!(&node.value, Value::Table(of) if !of.is_empty())
            }),
            _ => false,
        })
        .map(|(name, _)| name.clone())
        .collect();
    let names = || profiles.iter().map(|(name, _)| clean_name(name, "?")).collect::<Vec<_>>();
    let Some(wanted) = wanted else {
        // What others inherit from is there for them.
        let parents: BTreeSet<&str> =
            profiles.iter().filter_map(|(_, node)| inherit_of(node)).collect();
        let leaves: Vec<_> =
            with_sources.iter().filter(|name| !parents.contains(name.as_str())).cloned().collect();
        let chosen = if leaves.is_empty() { with_sources } else { leaves };
        return if chosen.is_empty() { Err(ProfileError::Unknown(names())) } else { Ok(chosen) };
    };
    if profiles.iter().any(|(name, _)| name == wanted) {
        return Ok(vec![wanted.to_owned()]);
    }
    let members = groups.and_then(|groups| {
        let Value::Table(groups) = &groups.value else { return None };
        let (_, group) = groups.iter().find(|(name, _)| name == wanted)?;
        let list = match &group.value {
            Value::Table(entries) => &entries.iter().find(|(name, _)| name == "profiles")?.1,
            _ => group,
        };
        Some(list.texts()?.into_iter().map(|(_, name)| name.to_owned()).collect::<Vec<_>>())
    });
    match members {
        Some(members) if members.iter().all(|one| profiles.iter().any(|(name, _)| name == one)) => {
            Ok(members)
        }
        _ => Err(ProfileError::Unknown(names())),
    }
}

fn inherit_of(node: &Node) -> Option<&str> {
    let Value::Table(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name == "inherit").and_then(|(_, node)| node.text())
}

/// A profile with what it inherits.
pub(super) fn resolve(
    work: &mut Work<'_>,
    profiles: &[(String, Node)],
    name: &str,
    used: &mut BTreeSet<String>,
) -> Result<Section, ProfileError> {
    let mut chain: Vec<&Node> = Vec::new();
    let mut at = name.to_owned();
    loop {
        let Some((_, node)) = profiles.iter().find(|(one, _)| *one == at) else {
            let place =
                chain.last().map_or_else(|| profiles[0].1.place.clone(), |node| node.place.clone());
            return Err(ProfileError::Inherit(place, "inherits from a profile that is not there"));
        };
        if chain.len() >= INHERIT_MAX {
            return Err(ProfileError::Inherit(node.place.clone(), "inherits from itself"));
        }
        used.insert(at.clone());
        chain.push(node);
        match inherit_of(node) {
            Some(parent) => at = parent.to_owned(),
            None => break,
        }
    }
    let mut entries = Vec::new();
    let mut covered = Vec::new();
    for node in chain.iter().rev() {
        let mut section = (*node).clone().section();
        if let Some(inherit) = section.take("inherit") {
            work.report
                .same(&inherit.place, "what is inherited stands in the configuration itself");
        }
        lay_over(&mut entries, section.entries, &mut covered);
    }
    for node in covered {
        work.untold("", &node, "a profile that inherits it says something else");
    }
    let mut whole = Node { place: chain[0].place.clone(), value: Value::Table(entries) };
    fill(&mut whole, name);
    Ok(whole.section())
}

/// Puts the name of the profile into templates.
fn fill(node: &mut Node, name: &str) {
    match &mut node.value {
        Value::Text(text) => {
            for action in ["\u{e000}.Profile.Name\u{e001}", "\u{e000}.ProfileName\u{e001}"] {
                *text = text.replace(action, name);
            }
        }
        Value::List(list) => list.iter_mut().for_each(|node| fill(node, name)),
        Value::Table(table) => table.iter_mut().for_each(|(_, node)| fill(node, name)),
        Value::Null => {}
    }
}

pub(super) fn repository_of(section: &Section) -> String {
    let found = section.entries.iter().find(|(name, _)| name == "repository");
    found.and_then(|(_, node)| node.text()).unwrap_or_default().to_owned()
}
