//! What is stated and not recorded: which systems there should be, and what was promised for them.
//!
//! A report computes everything else from evidence. What it takes from here it says so of, with
//! the hash of the file that it was read from.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What was promised for a system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Promise {
    /// How important it is: `gold`, `1`.
    pub tier: Option<String>,
    /// Recovery point objective, in milliseconds.
    pub rpo_ms: Option<u64>,
    /// Recovery time objective, in milliseconds.
    pub rto_ms: Option<u64>,
    /// How often it is backed up, in milliseconds.
    pub every_ms: Option<u64>,
}

/// All that is stated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What holds for systems that are not named, and for what a named one leaves out.
    pub default: Promise,
    /// The systems that should be protected; empty if nobody stated them.
    pub systems: BTreeMap<String, Promise>,
    /// BLAKE3 of the file that states them.
    pub hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    system: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: String,
    tier: Option<String>,
    rpo: Option<String>,
    rto: Option<String>,
    every: Option<String>,
}

impl Plan {
    /// Reads the systems of a TOML file: `[[system]]` with `host`, `tier`, `rpo`, `rto`, `every`.
    /// `span` reads a time span, in milliseconds.
    ///
    /// # Errors
    /// In words: what is wrong, and with which system.
    pub fn read(
        &mut self,
        text: &str,
        span: &dyn Fn(&str) -> Result<u64, String>,
    ) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        for entry in file.system {
            let read = |name: &str, text: Option<String>| match text {
                None => Ok(None),
                Some(text) => span(&text)
                    .map(Some)
                    .map_err(|why| format!("{name} of the system {:?}: {why}", entry.host)),
            };
            let promise = Promise {
                tier: entry.tier,
                rpo_ms: read("rpo", entry.rpo)?,
                rto_ms: read("rto", entry.rto)?,
                every_ms: read("every", entry.every)?,
            };
            if self.systems.insert(entry.host.clone(), promise).is_some() {
                return Err(format!("the system {:?} stands there twice", entry.host));
            }
        }
        self.hash = Some(blake3::hash(text.as_bytes()).to_hex().to_string());
        Ok(())
    }

    /// What is stated for a system.
    #[must_use]
    pub fn of(&self, system: &str) -> Promise {
        let own = self.systems.get(system).cloned().unwrap_or_default();
        let default = &self.default;
        Promise {
            tier: own.tier.or_else(|| default.tier.clone()),
            rpo_ms: own.rpo_ms.or(default.rpo_ms),
            rto_ms: own.rto_ms.or(default.rto_ms),
            every_ms: own.every_ms.or(default.every_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Result<u64, String> {
        text.parse::<u64>().map(|hours| hours * 3_600_000).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_system_leaves_out_is_the_default_and_mistakes_are_named() {
        let mut plan =
            Plan { default: Promise { rto_ms: Some(1), ..Promise::default() }, ..Plan::default() };
        plan.read("[[system]]\nhost = 'web1'\nrpo = '26'\ntier = 'gold'\n", &hours).expect("good");
        let found = plan.of("web1");
        assert_eq!((found.rpo_ms, found.rto_ms), (Some(93_600_000), Some(1)));
        assert_eq!(plan.of("other").rpo_ms, None);
        for (text, word) in [
            ("[[system]]\nhost = 'a'\nrpo = 'soon'\n", "rpo of the system \"a\""),
            ("[[system]]\nhost = 'a'\nRPO = '1'\n", "RPO"),
            ("[[system]]\nhost = 'web1'\n", "twice"),
        ] {
            let why = plan.clone().read(text, &hours).expect_err(text);
            assert!(why.contains(word), "{why}");
        }
    }
}
