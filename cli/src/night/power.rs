//! What this machine runs on, as Linux says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;

use agent::config::schedule::OnBattery;
use agent::night::Power;
use agent::plan::Rules;
use engine::disk::child::child;

/// Where the kernel shows batteries and chargers.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Looks at what `rules` ask for. A machine without a battery runs on power, and so does one whose kernel
/// says nothing; a line of which nobody says that it is paid by the byte is not.
#[must_use]
pub fn look(rules: &Rules, variables: &BTreeMap<OsString, OsString>) -> Power {
    let mut power = Power::default();
    if rules.on_battery != OnBattery::Run {
        power = look_in(Path::new(SUPPLIES));
    }
    power.is_metered = rules.on_metered != OnBattery::Run && is_metered(variables);
    power
}

/// Whether NetworkManager says or guesses that the line in use is paid by the byte.
fn is_metered(variables: &BTreeMap<OsString, OsString>) -> bool {
    let mut command = child(OsStr::new("busctl"), variables.clone());
    command.args(["--system", "--timeout=5", "get-property", "org.freedesktop.NetworkManager"]);
    command.args(["/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager", "Metered"]);
    // 1 is yes, 3 is a guess that it is.
    let answer = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    answer.is_ok_and(|answer| matches!(answer.stdout.trim_ascii(), b"u 1" | b"u 3"))
}

fn look_in(folder: &Path) -> Power {
    let Ok(entries) = std::fs::read_dir(folder) else { return Power::default() };
    let (mut has_mains, mut charges, mut is_discharging) = (false, Vec::new(), false);
    for supply in entries.flatten().map(|entry| entry.path()) {
        let read = |name: &str| std::fs::read_to_string(supply.join(name)).unwrap_or_default();
        match read("type").trim() {
            // A battery of a mouse is not this machine's.
            "Battery" if read("scope").trim() != "Device" => {
                is_discharging |= read("status").trim() == "Discharging";
                charges.extend(read("capacity").trim().parse::<u8>().ok());
            }
            "Mains" | "USB" | "Wireless" => has_mains |= read("online").trim() == "1",
            _ => {}
        }
    }
    let is_battery = is_discharging && !has_mains;
    Power { is_battery, charge: charges.into_iter().max(), is_metered: false }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use super::*;

    #[test]
    fn only_a_battery_of_the_machine_that_discharges_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |supply: &str, files: &[(&str, &str)]| {
            let at = folder.path().join(supply);
            std::fs::create_dir_all(&at).expect("made");
            for (name, text) in files {
                std::fs::write(at.join(name), format!("{text}\n")).expect("written");
            }
        };
        assert_eq!(look_in(folder.path()), Power::default());
        put("hid", &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")]);
        assert_eq!(look_in(folder.path()), Power::default());
        put("BAT0", &[("type", "Battery"), ("status", "Discharging"), ("capacity", "37")]);
        put("AC", &[("type", "Mains"), ("online", "0")]);
        assert_eq!(
            look_in(folder.path()),
            Power { is_battery: true, charge: Some(37), is_metered: false }
        );
        put("AC", &[("online", "1")]);
        assert_eq!(look_in(folder.path()), Power { charge: Some(37), ..Power::default() });
        assert_eq!(look_in(Path::new("/no/such")), Power::default());
    }
}
