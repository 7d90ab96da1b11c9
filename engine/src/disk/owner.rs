//! Names of users and groups, each asked for once.
//!
//! The system's own lookup is used (through `uzers`), so directory services count too; such a
//! lookup can cost milliseconds, therefore the cache. A statically linked program sees only the
//! local files of users and groups: names are a service to the reader, numbers are what counts.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

/// Remembers the names of the users and groups of one walk.
#[derive(Debug, Default)]
pub struct OwnerNames {
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
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
}
