//! What runs that were cut off left behind is freed without being asked twice.

use std::sync::Arc;

use engine::base::limits::GC_BRAKE_LEAST_PACKS;
use engine::base::monitor::Recording;
use engine::gc::{self, GcError, GcOptions};
use engine::repo::session::registered;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;

use super::{Stage, options, packs, plain, through};

/// Backups that end before their commit, each with content of its own.
fn cut_off(stage: &Stage, count: u64) {
    for number in 0..count {
        let hooked = Hooked::new(Arc::clone(&stage.inner) as _, |moment, kind, key| {
            let is_commit = kind == CallKind::Put && key.starts_with("snap/");
            match is_commit && moment == Moment::Before {
                true => Verdict::Crash,
                false => Verdict::Go,
            }
        });
        let machine = stage.machine(&through(Arc::new(hooked)));
        let folder = machine.new_folder("cut");
        put(&folder.join("file"), &random_bytes(100 + number, 20_000));
        machine.backup(&folder).expect_err("it is cut off");
    }
}

#[test]
fn orphans_of_runs_that_were_cut_off_are_no_mass_deletion() {
    let stage = Stage::new();
    let live = packs(&plain(&stage.inner)).len();
    cut_off(&stage, GC_BRAKE_LEAST_PACKS);
    assert!(packs(&plain(&stage.inner)).len() > live + GC_BRAKE_LEAST_PACKS as usize);
    let world = stage.machine(&plain(&stage.inner));
    let abandoned: Vec<_> = registered(&world.repo).expect("it lists").into_keys().collect();
    let careful = GcOptions { confirm_mass_delete: None, abandon_sessions: abandoned, ..options() };
    // The first run gives them up, and frees what nobody can refer to.
    let mut outcome = Ok(());
    for _ in 0..3 {
        let ran = gc::run(&world.repo, &world.index, &careful, &Recording::default());
        outcome = outcome.and(ran.map(drop));
    }
    assert!(!matches!(outcome, Err(GcError::MassDelete { .. })), "{outcome:?}");
    outcome.expect("each run ends well");
    assert!(packs(&plain(&stage.inner)).len() <= live);
    stage.assert_clean_after_two(&world);
}

#[test]
fn what_a_snapshot_took_over_from_a_run_that_was_cut_off_is_a_mass_deletion() {
    let stage = Stage::new();
    cut_off(&stage, GC_BRAKE_LEAST_PACKS);
    // The same files again, one run for each: what is stored already is taken over.
    let world = stage.machine(&plain(&stage.inner));
    let folder = world.new_folder("whole");
    for number in 0..GC_BRAKE_LEAST_PACKS {
        put(&folder.join(number.to_string()), &random_bytes(100 + number, 20_000));
    }
    let taken = world.backup(&folder).expect("it runs").snapshot.expect("it commits");
    let more = world.backup(&stage.source).expect("it runs").snapshot.expect("it commits");
    assert_ne!(taken, more);
    super::forget(&world, taken);
    let abandoned: Vec<_> = registered(&world.repo).expect("it lists").into_keys().collect();
    let careful = GcOptions { confirm_mass_delete: None, abandon_sessions: abandoned, ..options() };
    let run = || gc::run(&world.repo, &world.index, &careful, &Recording::default());
    let outcomes = [run(), run()];
    let is_refused = |ran: &Result<_, GcError>| matches!(ran, Err(GcError::MassDelete { .. }));
    assert!(outcomes.iter().any(is_refused), "{outcomes:?}");
}
