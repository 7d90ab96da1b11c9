//! Check 10: what the store's answers mean to us.
//!
//! Statuses that cannot be provoked here (429, 5xx) are covered by the tests of the transport.

use crate::format::config::Capabilities;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;
use crate::store::transport::Fault;

pub(super) fn meanings(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let store = bench.first;
    let absent = bench.key("10/absent");
    let expect = |is_right: bool, what: &str, answer: String| match is_right {
        true => Ok(()),
        false => Err(Failure::Wrong(format!("{what} answers {answer}"))),
    };
    let answer = store.raw_get(&absent, 10);
    let is_right = matches!(answer, Err(StoreError::NotFound { .. }));
    expect(is_right, "reading an absent object", shown(answer))?;
    let answer = store.raw_get_range(&absent, 0..1);
    let is_right = matches!(answer, Err(StoreError::NotFound { .. }));
    expect(is_right, "reading a part of an absent object", shown(answer))?;
    match store.raw_delete(&absent) {
        Ok(()) | Err(StoreError::Denied { .. }) => {}
        other => expect(false, "deleting an absent object", shown(other))?,
    }
    let listed = store.list(&format!("{absent}/"))?;
    expect(listed.is_empty(), "listing an absent folder", format!("{} keys", listed.len()))?;

    let key = bench.key("10/twice");
    store.raw_put_new(&key, pattern(1, 10))?;
    let answer = store.raw_put_new(&key, pattern(2, 10));
    // A store that knows no creation overwrites; either way it is an answer and no outage.
    let is_right = matches!(answer, Ok(()) | Err(StoreError::Conflict { .. }));
    expect(is_right, "creating what exists", shown(answer))?;

    if !store.raw_signs_payload() {
        return Ok("absent objects and existing ones; requests here are not signed".to_owned());
    }
    let key = bench.key("10/unsigned");
    let answer = store.raw_put_once(&key, pattern(3, 10), false, Some(Fault::BadSignature));
    let is_right = matches!(answer, Err(StoreError::Denied { .. }));
    expect(is_right, "a request with a wrong signature", shown(answer))?;
    Ok("absent objects, existing ones, a wrong signature".to_owned())
}

fn shown<T>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(_) => "with success".to_owned(),
        Err(error) => error.to_string(),
    }
}
