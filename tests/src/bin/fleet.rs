//! Makes the repository of a simulated fleet, to measure reports over it:
//! `fleet FOLDER SYSTEMS DAYS SEED` makes `FOLDER/repository` and `FOLDER/state`.

use std::path::Path;

use cli::config::surroundings::Surroundings;
use system_tests::fleet::{Fleet, FleetOptions};

fn main() {
    let arguments = Surroundings::arguments_of_process();
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let usage = "say: fleet FOLDER SYSTEMS DAYS SEED";
    let [folder, systems, days, seed] = <[&str; 4]>::try_from(words).expect(usage);
    let number = |text: &str| text.parse::<u32>().expect(usage);
    let (systems, days, seed) = (number(systems), number(days), u64::from(number(seed)));
    let folder = Path::new(folder);
    let options = FleetOptions { systems, days, seed };
    let fleet = Fleet::create(&folder.join("repository"), &folder.join("prover"), options);
    drop(fleet);
}
