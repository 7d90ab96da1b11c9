//! Names of users and groups, each asked for once.
//!
//! The system's own lookup is used (through `uzers`), so directory services count too; such a
//! lookup can cost milliseconds, therefore the cache. A statically linked program sees only the
//! local files of users and groups: names are a service to the reader, numbers are what counts.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use minicbor::{Decode, Encode};

/// Remembers the names of the users and groups of one walk.
#[derive(Debug, Default)]
pub struct OwnerNames {
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
}

/// A user or group with the name it had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Owner {
    /// Number.
    #[n(0)]
    pub id: u32,
    /// Name, if the machine knew one.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub name: Option<Vec<u8>>,
}

/// Users and groups with the names they had at some time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Owners {
    /// Users by number.
    #[n(0)]
    pub users: Vec<Owner>,
    /// Groups by number.
    #[n(1)]
    pub groups: Vec<Owner>,
}

impl OwnerNames {
    /// Name of a user; `None` if the machine does not know it.
    pub fn user(&mut self, uid: u32) -> Option<Vec<u8>> {
        let find = || uzers::get_user_by_uid(uid).map(|user| user.name().as_bytes().to_vec());
        self.users.entry(uid).or_insert_with(find).clone()
    }

    /// Name of a group; `None` if the machine does not know it.
    pub fn group(&mut self, gid: u32) -> Option<Vec<u8>> {
        let find = || uzers::get_group_by_gid(gid).map(|group| group.name().as_bytes().to_vec());
        self.groups.entry(gid).or_insert_with(find).clone()
    }

    /// Whether all of them still have the names they had.
    pub fn agree_with(&mut self, then: &Owners) -> bool {
        then.users.iter().all(|owner| self.user(owner.id) == owner.name)
            && then.groups.iter().all(|owner| self.group(owner.id) == owner.name)
    }

    /// All that were asked for, sorted by number.
    #[must_use]
    pub fn list(&self) -> Owners {
        let sorted = |names: &HashMap<u32, Option<Vec<u8>>>| {
            let owners = names.iter().map(|(id, name)| Owner { id: *id, name: name.clone() });
            let mut owners: Vec<_> = owners.collect();
            owners.sort();
            owners
        };
        Owners { users: sorted(&self.users), groups: sorted(&self.groups) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_name_and_a_number_out_of_use_has_none() {
        let mut names = OwnerNames::default();
        assert_eq!(names.user(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(names.user(3_999_999_999), None);
        assert_eq!(names.group(3_999_999_999), None);
    }

    #[test]
    fn a_name_that_changed_is_noticed() {
        let mut names = OwnerNames::default();
        names.user(0);
        let mut then = names.list();
        assert!(OwnerNames::default().agree_with(&then));
        then.users[0].name = Some(b"somebody".to_vec());
        assert!(!OwnerNames::default().agree_with(&then));
    }
}
