//! What this machine runs on, as Linux says.

use std::path::Path;

use agent::night::Power;

/// Where the kernel shows batteries and chargers.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Looks. A machine without a battery runs on power, and so does one whose kernel says nothing.
#[must_use]
pub fn look() -> Power {
    look_in(Path::new(SUPPLIES))
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
    Power { is_battery: is_discharging && !has_mains, charge: charges.into_iter().max() }
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
        assert_eq!(look_in(folder.path()), Power { is_battery: true, charge: Some(37) });
        put("AC", &[("online", "1")]);
        assert_eq!(look_in(folder.path()), Power { is_battery: false, charge: Some(37) });
        assert_eq!(look_in(Path::new("/no/such")), Power::default());
    }
}
