//! Somebody commits at the worst moment of a command that only looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::check::{self, CheckOptions, ReadData};
use engine::store::Store;
use object_store::memory::InMemory;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

/// Another machine makes a whole backup just before the `number`th listing of a check. Answers
/// whether there was such a listing.
fn is_sound_beside_a_backup(number: u32) -> bool {
    let store = Arc::new(InMemory::new());
    let maker = World::in_store(Arc::clone(&store) as _);
    let plain = Store::from_object_store(Arc::clone(&store) as _, "memory", true);
    let other = maker.another(&plain).expect("the words open it");
    let source = other.new_folder("source");
    put(&source.join("file"), &random_bytes(1, 50_000));
    other.backup(&source).expect("the first backup runs");
    put(&source.join("more"), &random_bytes(2, 50_000));

    let (is_armed, is_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let seen = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (armed, done) = (Arc::clone(&is_armed), Arc::clone(&is_done));
    let other = std::sync::Mutex::new((other, source));
    let hooked = Hooked::new(Arc::clone(&store) as _, move |moment, kind, _| {
        let is_listing = moment == Moment::Before && kind == CallKind::List;
        if armed.load(Ordering::Acquire)
            && is_listing
            && seen.fetch_add(1, Ordering::AcqRel) == number
        {
            let both = other.lock().expect("nobody panicked");
            // On a thread of its own: its store has a runtime of its own.
            let backup = || both.0.backup(&both.1).map(drop).map_err(|error| error.to_string());
            let made = std::thread::scope(|scope| scope.spawn(backup).join());
            assert_eq!(made.expect("it does not panic"), Ok(()));
            done.store(true, Ordering::Release);
        }
        Verdict::Go
    });
    let through = Store::from_object_store(Arc::new(hooked), "hooked", true);
    let looker = maker.another(&through).expect("the words open it");
    is_armed.store(true, Ordering::Release);
    let options = CheckOptions { read_data: ReadData::All, threads: 0 };
    let report = check::run(&looker.repo, &looker.index, &options, &looker.monitor);
    let report = report.expect("the check runs");
    assert!(report.is_sound(), "before listing {number}: {report:#?}");
    is_done.load(Ordering::Acquire)
}

#[test]
fn a_check_beside_a_backup_finds_no_damage() {
    let listings = (0..100).take_while(|number| is_sound_beside_a_backup(*number)).count();
    assert!(listings > 3, "only {listings} listings");
}
