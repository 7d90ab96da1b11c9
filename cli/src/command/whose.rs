//! Which client is meant.

use engine::format::client::Client;
use engine::index::belief::Claims;

use crate::fault::Fault;
use crate::ui::output::{printable, shortened};

/// How many clients an error names.
const NAMED_MAX: usize = 8;

/// The one client that is meant.
///
/// # Errors
/// Exit code 2 for none, and for several of one name.
pub fn find<'c>(claims: &'c Claims, wanted: &str) -> Result<&'c Client, Fault> {
    let found = claims.clients().find(wanted);
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Fault::usage(format!("there is no client {}", shortened(&printable(wanted))))
            .hint("`mainstay key clients` lists them; give a name or the first digits of an id")),
        several => {
            let ids: Vec<_> = several
                .iter()
                .take(NAMED_MAX)
                .map(|one| claims.clients().title(one.client))
                .collect();
            let message = format!("{} is the name of {} clients", printable(wanted), several.len());
            let more = if several.len() > NAMED_MAX { ", …" } else { "" };
            Err(Fault::usage(message)
                .hint(format!("give the first digits of the id: {}{more}", ids.join(", "))))
        }
    }
}
