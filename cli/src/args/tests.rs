//! Tables of command lines: what is understood, what is refused, and that every help is complete.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};
use engine::base::path::TreePath;

use super::approve::ApproveArgs;
use super::backup::BackupArgs;
use super::collect::PruneArgs;
use super::global::GlobalArgs;
use super::key::{KeyArgs, KeyCommand};
use super::look::{CatArgs, FindArgs, LsArgs, SnapshotsArgs};
use super::program::{BenchmarkArgs, CompletionsArgs, DemoArgs, DoctorArgs, ManArgs, VersionArgs};
use super::proof::{DrillArgs, EvidenceArgs};
use super::report::ReportArgs;
use super::repository::{CacheArgs, CheckArgs, IndexArgs, InitArgs, ProbeArgs, StatsArgs};
use super::restore::RestoreArgs;
use super::retention::{ForgetArgs, HoldArgs, PolicyArgs, TagArgs, UndeleteArgs};
use super::values::{
    Compression, Domain, Marker, Overwrite, Role, Selector, SnapshotPath, Subset, Suite,
};

#[derive(Debug, Parser)]
struct All {
    #[command(subcommand)]
    command: Every,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
enum Every {
    Init(InitArgs),
    Probe(ProbeArgs),
    Backup(Box<BackupArgs>),
    Restore(Box<RestoreArgs>),
    Snapshots(SnapshotsArgs),
    Ls(LsArgs),
    Find(FindArgs),
    Cat(CatArgs),
    Stats(StatsArgs),
    Forget(Box<ForgetArgs>),
    Undelete(UndeleteArgs),
    Hold(HoldArgs),
    Approve(ApproveArgs),
    Tag(TagArgs),
    Policy(Box<PolicyArgs>),
    Check(CheckArgs),
    #[command(visible_alias = "gc")]
    Prune(PruneArgs),
    Drill(Box<DrillArgs>),
    Evidence(EvidenceArgs),
    Report(Box<ReportArgs>),
    Index(IndexArgs),
    Cache(CacheArgs),
    Doctor(DoctorArgs),
    Key(KeyArgs),
    Demo(DemoArgs),
    Benchmark(BenchmarkArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Version(VersionArgs),
}

fn parse(line: &str) -> Result<All, String> {
    let words = shlex::split(line).ok_or("an open quote")?;
    All::try_parse_from(std::iter::once("mainstay".to_owned()).chain(words))
        .map_err(|error| error.to_string())
}

macro_rules! parsed {
    ($kind:ident, $line:expr) => {
        match parse($line).map(|all| all.command) {
            Ok(Every::$kind(args)) => args,
            other => panic!("{} became {other:?}", $line),
        }
    };
}

fn latest() -> Selector {
    Selector::Latest { back: 0 }
}

fn path(text: &str) -> TreePath {
    TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
}

#[test]
fn clap_finds_no_contradiction_and_every_help_is_complete() {
    let mut command = All::command();
    command.build();
    command.clone().debug_assert();
    let mut queue: Vec<_> = command.get_subcommands().cloned().collect();
    let mut seen = 0;
    while let Some(mut one) = queue.pop() {
        if one.get_name() == "help" {
            continue;
        }
        queue.extend(one.get_subcommands().cloned());
        let help = one.render_long_help().to_string();
        assert!(help.contains("Examples:\n  mainstay"), "{}", one.get_name());
        assert!(help.contains("Exit codes:\n    0  done"), "{}", one.get_name());
        assert!(one.get_about().is_some(), "{}", one.get_name());
        seen += 1;
    }
    assert_eq!(seen, 66);
}

#[test]
fn the_exact_forms_that_scripts_rely_on() {
    for line in [
        "init -q",
        "init --kit FILE",
        "key add --role backup --to-key-file FILE",
        "key rotate --dry-run",
        "backup -q --json --tag T --host H /a /b",
        "snapshots --json",
        "restore -q 4f3a91c2:/abs/folder --target DIR",
        "restore -q 4f3a91c2 --target DIR",
        "ls -q 4f3a91c2",
        "find -q '*.odt'",
        "cat 4f3a91c2:/path",
        "check -q",
        "forget -q 4f3a91c2 5a6b7c8d",
        "forget -l 3 -d 7 -w 5 -m 12 -y -1 --keep-hourly unlimited -n",
        "forget --keep-within-daily 1y6m --keep-tag a,b -g ''",
        "hold list",
        "check -q --read-data",
        "prune -q",
        "prune -q --grace 0s --confirm-mass-delete 12",
        "gc -n --max-unused unlimited",
        "prune --max-unused 0%",
        "demo",
        "demo /tmp/x",
        "index rebuild",
        "-r /repo -p /file --cache-dir /c snapshots -vv",
        "probe --full --endpoint2 http://localhost:1",
        "stats latest",
        "key list",
        "key remove 4f3a91c2",
        "key test --key-file k",
        "completions zsh",
        "man --dir d",
        "version --json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
    }
}

#[test]
fn contradictions_and_nonsense_are_refused() {
    for line in [
        "backup",
        "backup --stdin-from-command",
        "backup --stdin /a",
        "backup --stdin --stdin-from-command -- cmd",
        "backup --stdin-filename x /a",
        "backup --stdin-from-command --files-from l -- cmd",
        "backup /a --compression zstd",
        "backup /a --exclude-larger-than 10MB",
        "backup /a --force --parent latest",
        "backup /a --read-concurrency 0",
        "backup /a --read-concurrency 257",
        "backup /a --exclude-if-present a/b",
        "backup /a --tag a,,b",
        "backup /a --host 'x\u{1b}[31m'",
        "backup /a --host ' x'",
        "key add --role backup --to-key-file k --client-host 'x\u{1b}'",
        "restore latest",
        "restore abc --target d",
        "restore latest:/a/../b --target d",
        "restore latest --target d --overwrite sometimes",
        "restore latest --target d --delete",
        "restore latest --target d --verify --dry-run",
        "snapshots --latest 0",
        "snapshots newest",
        "find",
        "check --read-data --read-data-subset 1/2",
        "check --read-data-subset 0/2",
        "check --read-data-subset 3/2",
        "check --read-data-subset 101%",
        "init --kdf-memory 1M",
        "init --kdf-memory 5G",
        "init --suite rsa",
        "key add",
        "key add --role owner",
        "key add --role backup --to-key-file a --new-password-file b",
        "index",
        "snapshots -q -v",
        "completions ksh",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn backup_takes_the_habits_of_restic() {
    let args = parsed!(
        Backup,
        "backup -e a --exclude b --iexclude C --exclude-file f --exclude-caches \
         --exclude-if-present .nobackup --exclude-if-present 'TAG:Signature: x' \
         --exclude-larger-than 1.5G -x --tag a,b --tag b -H h -n -f --skip-if-unchanged \
         --with-atime --compression max --allow-missing --description 'before the move' \
         --read-concurrency 4 /src"
    );
    assert_eq!(args.paths, [OsString::from("/src")]);
    assert_eq!(args.exclude.exclude, ["a", "b"]);
    assert_eq!(args.exclude.iexclude, ["C"]);
    let markers = [
        Marker { name: ".nobackup".into(), header: None },
        Marker { name: "TAG".into(), header: Some(b"Signature: x".to_vec()) },
    ];
    assert_eq!(args.exclude.exclude_if_present, markers);
    assert_eq!(args.exclude.exclude_larger_than, Some(3 << 29));
    assert!(args.exclude.one_file_system && args.exclude.exclude_caches);
    assert!(args.dry_run && args.force && args.skip_if_unchanged && args.with_atime);
    assert_eq!(args.tags(), ["a", "b"]);
    assert_eq!(args.host.as_deref(), Some("h"));
    assert_eq!(args.compression, Compression::Max);
    assert_eq!(args.read_concurrency, Some(4));
    assert_eq!(parsed!(Backup, "backup /a").compression, Compression::Auto);
    let args = parsed!(Backup, "backup --parent ABCD1234 --files-from-raw r --files-from -");
    assert_eq!(args.parent, Some(Selector::Prefix("abcd1234".to_owned())));
    assert_eq!((args.list.files_from.len(), args.list.files_from_raw.len()), (1, 1));
    let args =
        parsed!(Backup, "backup --stdin-filename d.sql --stdin-from-command -- pg_dump -n x");
    assert!(args.stdin_from_command && !args.dry_run);
    assert_eq!(args.paths, ["pg_dump", "-n", "x"].map(OsString::from));
    let args = parsed!(Backup, "backup --stdin --stdin-filename d.sql");
    assert!(args.stdin && args.paths.is_empty());
}

#[test]
fn restore_and_the_looking_commands() {
    let args = parsed!(
        Restore,
        "restore latest~2:/home/a -t d -i '*.a' --iinclude '*.b' -e c --iexclude d \
         --overwrite if-changed --delete -n --no-owner --host h --tag x --path /home"
    );
    assert_eq!(
        args.source,
        SnapshotPath { snapshot: Selector::Latest { back: 2 }, path: Some(path("/home/a")) }
    );
    assert_eq!(args.overwrite, Some(Overwrite::IfChanged));
    assert!(args.delete && args.dry_run && args.no_owner && !args.verify);
    assert_eq!(args.filter.host, ["h"]);
    let args = parsed!(Ls, "ls latest");
    assert_eq!(args.source, SnapshotPath { snapshot: latest(), path: None });
    assert!(args.is_recursive() && !args.long);
    assert!(!parsed!(Ls, "ls -l latest:/ --no-recursive").is_recursive());
    assert!(parsed!(Ls, "ls latest --no-recursive --recursive").is_recursive());
    let args = parsed!(Find, "find a b --snapshot latest --ignore-case --tag x,y");
    assert_eq!(args.patterns, ["a", "b"]);
    assert!(args.ignore_case && args.snapshot == [latest()]);
    assert_eq!(args.filter.tag[0].0, ["x", "y"]);
    let args = parsed!(Snapshots, "snapshots --latest 3 -H h abcd");
    assert_eq!((args.latest, args.snapshots.len()), (Some(3), 1));
}

#[test]
fn values_with_a_form_of_their_own() {
    for (text, subset) in [
        ("2/7", Subset::Part { part: 2, parts: 7 }),
        ("2.5%", Subset::Percent(2.5)),
        ("10G", Subset::Bytes(10 << 30)),
    ] {
        let args = parsed!(Check, &format!("check --read-data-subset {text}"));
        assert_eq!(args.read_data_subset, Some(subset));
    }
    let args = parsed!(Init, "init --suite x25519 --kdf-memory 512M --weak --no-probe");
    assert_eq!((args.suite, args.kdf_memory), (Suite::X25519, Some(512 * 1024)));
    assert_eq!(parsed!(Init, "init").suite, Suite::XWing);
    match parsed!(Key, "key add --role verify --label l --domain shared").command {
        KeyCommand::Add(args) => {
            assert_eq!((args.role, args.domain), (Role::Verify, Domain::Shared));
        }
        other => panic!("became {other:?}"),
    }
    for bad in ["lates", "latest~", "latest~x", "latest2", "abc", "xyzw", "", "ab cd"] {
        assert!(bad.parse::<Selector>().is_err(), "{bad}");
    }
}

#[test]
fn paths_that_are_not_utf8_are_taken() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"latest:/a\xff".to_vec());
    let all = All::try_parse_from(["mainstay".into(), "cat".into(), odd]).map(|all| all.command);
    match all {
        Ok(Every::Cat(args)) => {
            assert_eq!(args.source.path.map(|p| p.name().to_vec()), Some(b"a\xff".to_vec()));
        }
        other => panic!("became {other:?}"),
    }
}

#[test]
fn a_mistaken_size_is_told_with_the_form() {
    let error = parse("backup /a --exclude-larger-than 10MB").expect_err("because MB is refused");
    assert!(error.contains("1.5GiB"), "{error}");
}
