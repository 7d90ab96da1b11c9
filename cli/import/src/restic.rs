//! Options of restic, as they stand on its command line and in sections of resticprofile.

use std::path::Path;

use crate::draft::{Kind, Source};
use crate::translate::Work;
use crate::tree::Node;

/// Options that take no value.
pub(crate) const FLAGS: [&str; 30] = [
    "one-file-system",
    "exclude-caches",
    "with-atime",
    "dry-run",
    "force",
    "ignore-ctime",
    "ignore-inode",
    "no-scan",
    "stdin",
    "stdin-from-command",
    "use-fs-snapshot",
    "skip-if-unchanged",
    "quiet",
    "json",
    "no-cache",
    "no-lock",
    "cleanup-cache",
    "insecure-tls",
    "insecure-no-password",
    "prune",
    "compact",
    "read-data",
    "with-cache",
    "check-unused",
    "unsafe-allow-remove-all",
    "no-extra-verify",
    "repack-cacheable-only",
    "repack-small",
    "repack-uncompressed",
    "exclude-cloud-files",
];

/// Short options with their long names; of `backup` and of commands in general.
pub(crate) const SHORT: [(char, &str); 10] = [
    ('e', "exclude"),
    ('x', "one-file-system"),
    ('H', "host"),
    ('f', "force"),
    ('n', "dry-run"),
    ('q', "quiet"),
    ('v', "verbose"),
    ('r', "repo"),
    ('p', "password-file"),
    ('o', "option"),
];

/// Short options of `forget`, which count before the others.
pub(crate) const SHORT_FORGET: [(char, &str); 8] = [
    ('l', "keep-last"),
    ('H', "keep-hourly"),
    ('d', "keep-daily"),
    ('w', "keep-weekly"),
    ('m', "keep-monthly"),
    ('y', "keep-yearly"),
    ('c', "compact"),
    ('g', "group-by"),
];

/// What is known to have no equivalent, and why that may not matter.
const UNNEEDED: [(&str, &str); 34] = [
    ("verbose", "`mainstay -v` says more"),
    ("quiet", "`mainstay -q` says less"),
    ("json", "`--json` is an option of every command"),
    ("no-cache", "`--no-index` is an option of commands that only read"),
    ("cache-dir", "the index has another form; `cache-dir` says where it lies"),
    ("cleanup-cache", "the index is kept small by itself"),
    ("no-lock", "there are no locks to leave out"),
    ("retry-lock", "a job that finds another one running is tried again by itself"),
    ("lock", "a repository is not locked by backups"),
    ("compression", "everything is compressed"),
    ("pack-size", "it is an option of `backup` on the command line"),
    ("read-concurrency", "how much is read at once is not set here"),
    ("parent", "what did not change is found by itself"),
    ("force", "what did not change is found by itself"),
    ("ignore-inode", "what did not change is found by itself"),
    ("ignore-ctime", "what did not change is found by itself"),
    ("no-scan", "how far a run is, is known without reading folders twice"),
    ("skip-if-unchanged", "a snapshot of each night is proof that it was run"),
    ("dry-run", "a configuration is for what is done"),
    ("time", "a snapshot has the time at which it is made"),
    ("insecure-tls", "certificates are always checked"),
    ("insecure-no-password", "there is no repository without a key"),
    ("tls-client-cert", "client certificates are not supported"),
    ("cacert", "set SSL_CERT_FILE in the environment-file"),
    ("option", "settings of single stores are in variables"),
    ("key-hint", "a key file opens its own slot"),
    ("initialize", "a repository is made on purpose, with `mainstay init`"),
    ("use-fs-snapshot", "Windows is not supported"),
    ("exclude-cloud-files", "Windows is not supported"),
    ("unsafe-allow-remove-all", "rules that keep nothing are refused"),
    ("compact", "what lists show is not set here"),
    ("with-cache", "the local index never takes the place of the store in a check"),
    ("check-unused", "`check` always looks for what nothing needs"),
    ("no-extra-verify", "what is written is always verified"),
];

/// An option that every command takes; whether it was one.
pub(crate) fn global(work: &mut Work<'_>, name: &str, node: &Node) -> bool {
    match name {
        "repo" | "repository" => {
            if let Some(text) = node.text().map(str::to_owned) {
                work.repository(&node.place, &text);
            } else {
                work.untold(name, node, "one location was expected");
            }
        }
        "repository-file" => work.report.to_do(
            &node.place,
            "the repository is named in a file; repositories of others are not read: make one with `mainstay init`",
        ),
        "password-file" | "password-command" => {
            let words = format!(
                "{name} opens the old repository; the new one gets its own passphrase ({name} here, too) or a key-file"
            );
            work.report.to_do(&node.place, words);
        }
        "password" => work.report.say(
            Kind::Secret,
            &node.place,
            "the new repository gets a passphrase of its own; keep it in a file (password-file), or use a key-file",
        ),
        "limit-upload" => work.limit(node, "limit-upload"),
        "limit-download" => work.limit(node, "limit-download"),
        _ => match UNNEEDED.iter().find(|(one, _)| *one == name) {
            Some((_, words)) => work.untold(name, node, &format!("not needed: {words}")),
            None => return false,
        },
    }
    true
}

/// An option of `backup`; whether it was one.
pub(crate) fn backup(work: &mut Work<'_>, source: &mut Source, name: &str, node: &Node) -> bool {
    match name {
        "exclude" | "iexclude" => {
            for (place, text) in work.texts(node) {
                let list =
                    if name == "exclude" { &mut source.exclude } else { &mut source.iexclude };
                work.pattern(&place, &text, &format!("source.{name}"), list);
            }
        }
        "exclude-file" | "iexclude-file" => pattern_files(work, source, name, node),
        "exclude-if-present" => {
            for (place, text) in work.texts(node) {
                work.report.same(&place, "source.exclude-if-present");
                source.exclude_if_present.push(text);
            }
        }
        "exclude-larger-than" => {
            let Some(text) = work.text(node) else { return true };
            match work.judge.size(&text) {
                Ok(()) => {
                    work.report.same(&node.place, "source.exclude-larger-than");
                    source.exclude_larger_than = Some(text);
                }
                Err(why) => work.report.to_do(&node.place, why),
            }
        }
        "exclude-caches" | "one-file-system" | "with-atime" => {
            if let Some(flag) = work.flag(node) {
                work.report.same(&node.place, &format!("source.{name}"));
                match name {
                    "exclude-caches" => source.exclude_caches = flag,
                    "one-file-system" => source.one_file_system = flag,
                    _ => source.with_atime = flag,
                }
            }
        }
        "tag" => tags(work, source, node),
        "host" => host(work, node),
        "files-from" | "files-from-verbatim" | "files-from-raw" => {
            let words =
                "lists of paths in files are not read each night; write the paths into `paths`";
            work.untold_to_do(node, words);
        }
        "stdin-filename" => {
            if let Some(text) = work.text(node) {
                let base = text.rsplit('/').next().unwrap_or_default().to_owned();
                if base.is_empty() {
                    work.report.missing(&node.place, "it names no file");
                    return true;
                }
                work.report.same(&node.place, "source.filename");
                if base != text {
                    work.report.changed(&node.place, "a filename has no folders here");
                }
                source.filename = Some(base);
            }
        }
        "group-by" => work.untold(name, node, "not needed: what did not change is found by itself"),
        _ => return false,
    }
    true
}

fn tags(work: &mut Work<'_>, source: &mut Source, node: &Node) {
    if let Some(flag) =
        node.flag().filter(|_| node.text().is_some_and(|text| text.parse::<bool>().is_ok()))
    {
        let words = format!("{flag} is not a tag");
        work.report.missing(&node.place, words);
        return;
    }
    for (place, text) in work.texts(node) {
        work.report.same(&place, "source.tags");
        let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned);
        source.tags.extend(tags);
    }
}

fn host(work: &mut Work<'_>, node: &Node) {
    if node.flag().is_some() {
        work.report
            .missing(&node.place, "not needed: a snapshot always has the name of its machine");
        return;
    }
    let Some(text) = work.text(node) else { return };
    let is_name = !text.trim().is_empty() && text.trim() == text && text.len() <= 100;
    if !is_name || text.contains(|one: char| one.is_control()) {
        work.report.missing(&node.place, "it cannot be the name of a machine here");
        return;
    }
    work.report.same(&node.place, "host");
    match &work.draft.host {
        Some(old) if *old != text => {
            work.report.changed(&node.place, "one configuration has one host; another one counts");
        }
        _ => work.draft.host = Some(text),
    }
}

/// Files of patterns have the same form here; what restic alone does with them is looked for.
fn pattern_files(work: &mut Work<'_>, source: &mut Source, name: &str, node: &Node) {
    for (place, text) in work.texts(node) {
        let Some(path) = work.path(&place, &text) else { continue };
        let content = match work.judge.read(Path::new(&path)) {
            Ok(content) => content,
            Err(why) => {
                let words =
                    format!("the file could not be read ({why}), so it was not looked through");
                work.report.to_do(&place, words);
                if name == "exclude-file" {
                    work.report.same(&place, "source.exclude-file");
                    source.exclude_file.push(path);
                }
                continue;
            }
        };
        let lines = content.lines().map(str::trim);
        let lines: Vec<&str> =
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        if lines.iter().any(|line| line.contains('$')) {
            let words =
                "restic replaces variables in this file; here a `$` is a `$`: look through it";
            work.report.to_do(&place, words);
        }
        if name == "exclude-file" {
            match lines.iter().find_map(|line| work.judge.pattern(line).err()) {
                None => work.report.same(&place, "source.exclude-file"),
                Some(why) => {
                    work.report.to_do(&place, format!("a pattern in it cannot be used: {why}"))
                }
            }
            source.exclude_file.push(path);
            continue;
        }
        work.report.changed(&place, "the patterns of the file were copied into iexclude");
        for line in lines {
            work.pattern(&place, line, "source.iexclude", &mut source.iexclude);
        }
    }
}

/// An option of `forget`; whether it was one.
pub(crate) fn forget(work: &mut Work<'_>, name: &str, node: &Node) -> bool {
    match name {
        "keep-last"
        | "keep-hourly"
        | "keep-daily"
        | "keep-weekly"
        | "keep-monthly"
        | "keep-yearly"
        | "keep-within"
        | "keep-within-hourly"
        | "keep-within-daily"
        | "keep-within-weekly"
        | "keep-within-monthly"
        | "keep-within-yearly"
        | "group-by" => {
            if let Some(text) = work.text(node) {
                work.rule(&node.place, name, text.trim());
            }
        }
        "keep-tag" => {
            for (place, text) in work.texts(node) {
                match work.judge.rule(name, &text) {
                    Ok(()) => {
                        work.report.same(&place, "retention.keep-tag");
                        work.draft.keep_tag.push(text);
                    }
                    Err(why) => work.report.to_do(&place, why),
                }
            }
        }
        "host" | "tag" | "path" => {
            let words = "the rules of a configuration are for all snapshots of the repository; they are judged by \
                         host and paths (group-by)";
            match node.flag() {
                Some(false) => work.untold(name, node, words),
                _ => node.leaves().iter().for_each(|place| work.report.changed(place, words)),
            }
        }
        "max-repack-size"
        | "max-unused"
        | "repack-cacheable-only"
        | "repack-small"
        | "repack-uncompressed" => {
            work.untold(
                name,
                node,
                "how much is packed anew is an option of `prune` on the command line",
            );
        }
        _ => return false,
    }
    true
}
