//! What a machine does that forgets, holds, and brings back.

use engine::base::error::ErrorClass;
use engine::index::identity;
use engine::repo::marks;
use engine::retain::RetainError;
use engine::retain::hold::{self, HoldRequest};
use engine::retain::undelete;

use crate::simulator::machine::{Ending, Machine, Process, told};

/// The name of each machine.
const HOST: &str = "simulated";

impl Machine {
    pub(super) fn forget(
        &self,
        process: &Process,
        choice: u64,
    ) -> Result<Ending, (ErrorClass, String)> {
        let (repo, index) = (&process.repo, &process.index);
        let snapshots = self.not_forgotten(process)?;
        let older = snapshots.len().saturating_sub(1) as u64;
        if older == 0 {
            return Ok(Ending::Refused("there is nothing to forget".to_owned()));
        }
        let chosen = &snapshots[(choice % older) as usize];
        let identity = identity::writer_identity(repo, index, HOST).map_err(told)?;
        let session = chosen.snapshot.session;
        self.truth.forget(session);
        let target = (session, chosen.digest);
        marks::put_tomb(repo, &identity, target, "simulated", None).map_err(told)?;
        Ok(Ending::Done)
    }

    pub(super) fn hold(
        &self,
        process: &Process,
        choice: u64,
    ) -> Result<Ending, (ErrorClass, String)> {
        let snapshots = self.not_forgotten(process)?;
        if snapshots.is_empty() {
            return Ok(Ending::Refused("there is no snapshot".to_owned()));
        }
        let session = snapshots[(choice % snapshots.len() as u64) as usize].snapshot.session;
        let request = HoldRequest {
            host: HOST,
            snapshots: &[session],
            reason: "simulated",
            until: None,
            selection: None,
        };
        let report = hold::add(&process.repo, &process.index, &request).map_err(told)?;
        if report.too_late.is_empty() {
            self.truth.hold(session);
            return Ok(Ending::Done);
        }
        Ok(Ending::Refused("it came too late".to_owned()))
    }

    /// What was brought back holds what the forgotten one held.
    pub(super) fn undelete(
        &self,
        process: &Process,
        choice: u64,
    ) -> Result<Ending, (ErrorClass, String)> {
        let forgotten = self.truth.forgotten();
        if forgotten.is_empty() {
            return Ok(Ending::Refused("nothing was forgotten".to_owned()));
        }
        let (session, files) = &forgotten[(choice % forgotten.len() as u64) as usize];
        let (repo, index) = (&process.repo, &process.index);
        match undelete::undelete(repo, index, HOST, *session, &process.monitor) {
            Ok(report) => {
                self.truth.report(report.snapshot, files);
                Ok(Ending::Done)
            }
            Err(RetainError::NotWhole { why, .. }) => Ok(Ending::Refused(why)),
            Err(error) => Err(told(error)),
        }
    }
}
