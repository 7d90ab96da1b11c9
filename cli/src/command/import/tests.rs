//! Configurations as people have them, and drawn ones: nothing is lost, nothing secret is copied.

/// Drawn configurations.
mod drawn;
/// Patterns of Borg against ours.
mod patterns;

use super::*;

pub(super) fn known<T>(work: impl FnOnce(&Known<'_>) -> T) -> T {
    let mut around = Surroundings::isolated(&[("HOME", "/root")]);
    around.current_dir = fixtures();
    work(&Known { around: &around })
}

pub(super) fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command/import/fixtures")
}

fn files(names: &[&str]) -> Vec<Input> {
    let folder = fixtures();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a fixture");
    let input =
        |name: &&str| Input { name: (*name).to_owned(), folder: folder.clone(), text: read(name) };
    names.iter().map(input).collect()
}

fn made(names: &[&str], wanted: &Wanted<'_>) -> Imported {
    known(|known| {
        let imported = import::import::import(&files(names), wanted, known).expect("made");
        examine(&imported, known.around).expect("it makes sense");
        imported
    })
}

/// All secrets of the fixtures have this in them.
const SECRET: &str = "fixture";

fn golden(name: &str, files: &[&str], wanted: &Wanted<'_>) {
    let imported = made(files, wanted);
    let without_names = imported.text.replace(".fixtures", "");
    assert!(!without_names.to_lowercase().contains(SECRET), "{without_names}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, imported.text));
}

#[test]
fn an_environment_and_a_crontab_of_restic() {
    let wanted = Wanted { client: Some("acme"), ..Wanted::default() };
    golden("restic_crontab", &["restic-env.env", "restic-cron.cron"], &wanted);
}

#[test]
fn a_script_with_its_timer() {
    golden("restic_script", &["backup.sh", "backup.timer"], &Wanted::default());
}

#[test]
fn profiles_of_every_form() {
    golden("profiles_yaml", &["resticprofile-v1.yaml"], &Wanted::default());
    let group = Wanted { profile: Some("all"), ..Wanted::default() };
    golden("profiles_toml", &["resticprofile-v2.toml"], &group);
    let one = Wanted { profile: Some("files"), client: Some("acme"), ..Wanted::default() };
    golden("one_profile_toml", &["resticprofile-v2.toml"], &one);
    golden("profiles_json", &["resticprofile.json"], &Wanted::default());
    golden("profiles_template", &["resticprofile-template.yaml"], &Wanted::default());
}

#[test]
fn files_of_borgmatic() {
    golden("borgmatic_flat", &["borgmatic-flat.yaml"], &Wanted::default());
    golden("borgmatic_sections", &["borgmatic-sections.yaml"], &Wanted::default());
    golden("borgmatic_databases", &["borgmatic-databases.yaml"], &Wanted::default());
    golden("borgmatic_anchors", &["borgmatic-anchors.yaml"], &Wanted::default());
}

#[test]
fn who_starts_borgmatic_says_when() {
    let cron = Input {
        name: "borgmatic.cron".to_owned(),
        folder: fixtures(),
        text: "PATH=/usr/bin\n0 3 * * * root borgmatic --syslog-verbosity 1\n".to_owned(),
    };
    let mut inputs = files(&["borgmatic-flat.yaml"]);
    inputs.push(cron);
    known(|known| {
        let imported = import::import::import(&inputs, &Wanted::default(), known).expect("made");
        let backup = imported.draft.schedule.get("backup").and_then(|it| it.calendar.clone());
        assert_eq!(backup.as_deref(), Some("0 3 * * *"));
    });
}

/// What cannot be read, with its line and why.
#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    let bomb = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, number| {
        let before = number - 1;
        format!("{text}a{number}: &a{number} [*a{before}, *a{before}, *a{before}]\n")
    });
    let deep = format!("source_directories: {}", "[".repeat(5000));
    for (name, text, line, why) in [
        ("x.yaml", "source_directories:\n  - a\n bad: [\n", 3, "no YAML"),
        ("x.yaml", "source_directories: [a]\nsource_directories: [b]\n", 2, "a second time"),
        ("x.yaml", bomb.as_str(), 0, "too many values"),
        ("x.yaml", deep.as_str(), 0, ""),
        ("x.toml", "[default]\nrepository = hunter2\n", 2, "no TOML"),
        ("x.json", "{\n\"default\": }", 2, "no JSON"),
        ("x.yaml", "a:\n  backup:\n    source: {{ if .X }}y{{ end }}\n", 3, "computed"),
        ("x.yaml", "a:\n  inherit: b\n  backup: {source: /x}\n", 1, "not there"),
        ("x.yaml", "a:\n  inherit: a\n  backup: {source: /x}\n", 1, "inherits from itself"),
        ("x.yaml", "source_directories: !include none.yaml\n", 1, "cannot be read"),
        ("x.yaml", "hello\n", 0, "no configuration"),
        ("x.env", "RESTIC_REPOSITORY=/x\n", 0, "nothing in it says"),
        ("x.yaml", "repositories:\n- path: /x\n", 0, "nothing in it says"),
    ] {
        known(|known| {
            let inputs =
                [Input { name: name.to_owned(), folder: fixtures(), text: text.to_owned() }];
            let error = import::import::import(&inputs, &Wanted::default(), known).expect_err(why);
            let message = fault(&error).message().to_owned();
            assert_eq!(fault(&error).exit_code(), ExitCode::Usage);
            assert!(message.contains(why), "{message}");
            assert!(line == 0 || message.contains(&format!(", line {line}: ")), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        });
    }
}

/// Profiles with repositories of their own are several configurations.
#[test]
fn profiles_with_several_repositories_are_listed() {
    let text = "a:\n  repository: /x\n  backup: {source: /a}\nb:\n  repository: /y\n  backup: {source: /b}\n";
    known(|known| {
        let inputs =
            [Input { name: "p.yaml".to_owned(), folder: fixtures(), text: text.to_owned() }];
        let error = import::import::import(&inputs, &Wanted::default(), known).expect_err("two");
        let hint = fault(&error).hint_words().unwrap_or_default().to_owned();
        assert!(hint.ends_with("--profile: a, b"), "{hint}");
        let one = Wanted { profile: Some("b"), ..Wanted::default() };
        let imported = import::import::import(&inputs, &one, known).expect("one");
        assert_eq!(imported.draft.sources[0].paths, ["/b"]);
        let places: Vec<_> =
            imported.report.remarks.iter().map(|it| it.place.key.as_str()).collect();
        assert!(places.contains(&"a"), "the other one is named: {places:?}");
    });
}
