//! An auditor's draw from all runs, that anybody can make again.
//!
//! The rank of a run is SHA-256 over the seed, a line feed and the id of the run, as text. The
//! runs with the lowest ranks are drawn. SHA-256 and not BLAKE3, because every language brings it.

use sha2::{Digest, Sha256};

use crate::report::population::Run;

/// A run that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn<'a> {
    /// Its rank, as hexadecimal digits.
    pub rank: String,
    /// The run.
    pub run: &'a Run,
}

/// Draws `wanted` runs, or all if there are fewer, in the order of their ranks.
#[must_use]
pub fn draw<'a>(runs: &'a [Run], wanted: usize, seed: &str) -> Vec<Drawn<'a>> {
    let mut ranked: Vec<Drawn<'a>> = runs
        .iter()
        .map(|run| {
            let hash = Sha256::digest(format!("{seed}\n{}", run.id).as_bytes());
            Drawn { rank: crate::evidence::record::to_hex(&hash), run }
        })
        .collect();
    ranked.sort_by(|a, b| (&a.rank, &a.run.id).cmp(&(&b.rank, &b.run.id)));
    ranked.truncate(wanted);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::population::missed_run;

    #[test]
    fn a_draw_depends_on_the_seed_and_on_nothing_else() {
        let runs: Vec<Run> = (0..100).map(|n| missed_run("web1", n * 60_000)).collect();
        let mut turned = runs.clone();
        turned.reverse();
        let ids = |runs: &[Run], seed: &str| -> Vec<String> {
            draw(runs, 7, seed).iter().map(|drawn| drawn.run.id.clone()).collect()
        };
        assert_eq!(ids(&runs, "2026"), ids(&turned, "2026"));
        assert_ne!(ids(&runs, "2026"), ids(&runs, "2027"));
        assert_eq!(draw(&runs, 1000, "x").len(), 100);
    }
}
