//! What is said for which command or option of another program: one line each.

/// Commands that other programs have, by one or two words.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("umount", MOUNT),
    ("webdav", MOUNT),
    ("copy", COPY),
    ("transfer", COPY),
    ("repository sync-to", COPY),
    ("rewrite", REWRITE),
    ("recreate", REWRITE),
    ("merge", "snapshots are never merged: name several paths in one `mainstay backup PATH…`"),
    ("repair index", "the index is local: `mainstay index rebuild`"),
    ("repair", REPAIR),
    (
        "recover",
        "`mainstay snapshots --all` shows what is forgotten, `mainstay undelete ID` brings it back",
    ),
    ("rebuild-index", "the index is local: `mainstay index rebuild`"),
    ("reindex", "the index is local: `mainstay index rebuild`"),
    ("index recover", "the index is local: `mainstay index rebuild`"),
    ("cache", CACHE),
    ("self-update", UPDATE),
    ("upgrade", UPDATE),
    ("list keys", "`mainstay key list`"),
    ("list snapshots", "`mainstay snapshots`"),
    (
        "list",
        "`mainstay snapshots` lists snapshots, `mainstay ls SNAP` files, `mainstay key list` keys",
    ),
    ("generate", "`mainstay completions SHELL` and `mainstay man --dir DIR`"),
    ("completion", "`mainstay completions SHELL`"),
    ("passwd", "`mainstay key passwd`"),
    ("key change-passphrase", "`mainstay key passwd`"),
    ("repository change-password", "`mainstay key passwd`"),
    ("key change-location", "keys are in the repository: there is nothing to move"),
    (
        "key change-algorithm",
        "`mainstay key add` makes keys with today's algorithm, `mainstay key remove ID` removes old ones",
    ),
    (
        "key export",
        "the recovery kit of `mainstay init --kit FILE` opens the repository; `mainstay key add --role admin` makes another passphrase",
    ),
    ("key import", "give the recovery kit in place of the passphrase: --password-file kit.txt"),
    ("create", "`mainstay backup PATH` makes a snapshot, `mainstay init` a repository"),
    ("rcreate", "`mainstay init`"),
    ("repo-create", "`mainstay init`"),
    ("repository create", "`mainstay init`"),
    ("repository connect", CONNECT),
    ("repository disconnect", CONNECT),
    ("connect", CONNECT),
    ("repository status", "`mainstay stats`, and `mainstay key test` for the key"),
    ("repository validate-provider", "`mainstay probe --full`"),
    (
        "repository",
        "`mainstay init` makes a repository, -r LOCATION names one, `mainstay stats` describes it",
    ),
    ("rinfo", "`mainstay stats`"),
    ("repo-info", "`mainstay stats`"),
    ("repoinfo", "`mainstay stats`"),
    ("rlist", "`mainstay snapshots`"),
    ("repo-list", "`mainstay snapshots`"),
    ("rdelete", "delete the folder or the prefix with the tools of the store"),
    ("repo-delete", "delete the folder or the prefix with the tools of the store"),
    ("repo-space", "`mainstay prune` with a full disk says what to free"),
    ("repo-compress", "everything is compressed when it is stored"),
    ("rcompress", "everything is compressed when it is stored"),
    ("extract", "`mainstay restore SNAP --target DIR`"),
    ("export-tar", DUMP),
    (
        "import-tar",
        "unpack it, or save the stream: `mainstay backup --stdin --stdin-filename NAME`",
    ),
    ("delete", FORGET),
    ("remove", FORGET),
    ("rm", FORGET),
    ("rename", "snapshots have ids and tags: `mainstay tag add TAG SNAP`"),
    ("compact", "`mainstay prune` frees what no snapshot needs"),
    (
        "maintenance",
        "`mainstay prune` frees what no snapshot needs; `mainstay check --rotate 28d` reads everything in its turn",
    ),
    ("gc run", "`mainstay prune`"),
    ("verify", VERIFY),
    ("snapshot create", "`mainstay backup PATH`"),
    ("snapshot list", "`mainstay snapshots`"),
    ("snapshot restore", "`mainstay restore SNAP --target DIR`"),
    ("snapshot verify", VERIFY),
    ("snapshot delete", FORGET),
    ("snapshot expire", "`mainstay forget --keep-daily 7 …`, then `mainstay prune`"),
    ("snapshot", "`mainstay snapshots` lists them, `mainstay backup PATH` makes one"),
    ("content", VERIFY),
    ("blob", "`mainstay stats` and `mainstay check` look at what is stored"),
    (
        "analyze",
        "`mainstay stats SNAP`; `mainstay stats --freed-by SNAP` says what forgetting would free",
    ),
    (
        "policy",
        "rules stand in the section [retention] of the configuration file, or after `mainstay forget`; `mainstay policy simulate` plays them",
    ),
    ("info", "`mainstay stats SNAP` and `mainstay snapshots`"),
    ("status", "`mainstay doctor`"),
    ("debug", "`mainstay check` names what is damaged, `mainstay doctor` what is set and works"),
    ("options", "`mainstay help` has all options and variables"),
    ("features", "nothing has to be switched on: `mainstay help` has all there is"),
    (
        "config",
        "`mainstay doctor` shows what is set; options of every command can stand in a file: --config FILE",
    ),
    ("show-config", "`mainstay doctor`"),
    ("serve", SERVER),
    ("server", SERVER),
    ("rest-server", SERVER),
    ("with-lock", "there are no locks: run the command itself"),
];

/// Commands for which there is nothing to do, so that they have succeeded.
pub(super) const DONE: &[(&str, &str)] = &[
    ("unlock", LOCKS),
    ("break-lock", LOCKS),
    ("list locks", LOCKS),
    ("migrate", "there is nothing to migrate: the repository has the format of this program"),
];

const LOCKS: &str = "there are no locks in a repository: nothing to unlock";
const DUMP: &str = "for an archive: `mainstay dump SNAP:/path -a tar -o FILE`";
const MOUNT: &str =
    "`mainstay mount DIR` shows snapshots as folders; Ctrl-C or `fusermount3 -u DIR` ends that";
const COPY: &str = "for a second copy let the machines back up to both repositories, or copy the objects with the tools of the store";
const REWRITE: &str = "snapshots are never rewritten: `mainstay forget SNAP` and `mainstay prune` remove those that hold a file";
const REPAIR: &str = "`mainstay check` names what is damaged, `mainstay index rebuild` reads the index again, and the next backup stores what is missing";
const CACHE: &str =
    "the local index is the only cache: `mainstay cache clean`, or `mainstay index rebuild`";
const UPDATE: &str =
    "the program does not update itself: install the new version as you installed this one";
const CONNECT: &str = "there is nothing to connect: name the repository by -r LOCATION, MAINSTAY_REPOSITORY or the configuration file";
const FORGET: &str = "`mainstay forget SNAP`, then `mainstay prune`";
const VERIFY: &str = "`mainstay check --read-data`; with proof: `mainstay drill SNAP`";
const SERVER: &str = "there is no server: machines reach the store themselves";
const ENCRYPTED: &str = "everything is encrypted: leave it out; --suite says with which algorithms";
const FREE: &str = "`mainstay forget --keep-…` chooses what stays, `mainstay prune` frees the rest";
const TLS: &str = "a certificate of your own must be among those that this machine trusts";

/// Options that other programs have: the command (empty for each), the option or word, the line.
pub(super) const OPTIONS: &[(&str, &str, &str)] = &[
    ("snapshots", "--last", "`mainstay snapshots --latest 1`"),
    ("find", "--oldest", "the newest to look into is --time WHEN; one snapshot is --snapshot SNAP"),
    ("find", "--newest", "`mainstay find PATTERN --time WHEN` looks into what was made by then"),
    ("find", "--blob", "`mainstay check` names the paths that damage hurts"),
    ("find", "--pack", "`mainstay check` names the paths that damage hurts"),
    ("find", "--tree", "`mainstay check` names the paths that damage hurts"),
    ("find", "--long", "each line has permissions, owner, size and time already: leave it out"),
    ("find", "-l", "each line has permissions, owner, size and time already: leave it out"),
    ("ls", "--human-readable", "sizes can be read by people already: leave it out"),
    ("stats", "--mode", "`mainstay stats` says both: what snapshots hold and what is stored"),
    ("prune", "--repack-uncompressed", "everything is compressed when it is stored: leave it out"),
    ("prune", "--repack-cacheable-only", "--max-unused says how much is rewritten: leave it out"),
    (
        "prune",
        "--repack-small",
        "small packs are rewritten when little of them is needed: leave it out",
    ),
    ("prune", "--keep-last", FREE),
    ("prune", "--keep-daily", FREE),
    ("prune", "--keep-weekly", FREE),
    ("prune", "--keep-monthly", FREE),
    ("prune", "--keep-yearly", FREE),
    ("prune", "--keep-within", FREE),
    ("prune", "-d", FREE),
    ("forget", "--compact", "there is one line for each snapshot already: leave it out"),
    (
        "forget",
        "--unsafe-allow-remove-all",
        "`mainstay forget --host HOST --delete-all-snapshots`, which leaves none of that host",
    ),
    ("tag", "--add", "`mainstay tag add TAG SNAP`"),
    ("tag", "--remove", "`mainstay tag remove TAG SNAP`"),
    ("tag", "--set", "`mainstay tag set TAG,TAG SNAP`"),
    ("check", "--with-cache", "the local index is used already: leave it out"),
    ("check", "--repair", REPAIR),
    ("check", "--verify-data", "`mainstay check --read-data`"),
    (
        "cat",
        "config",
        "`mainstay doctor` shows the repository, `mainstay key test` its fingerprint",
    ),
    (
        "cat",
        "masterkey",
        "the recovery kit opens the repository; `mainstay key test` says what a key is",
    ),
    ("cat", "snapshot", "`mainstay snapshots SNAP --json`"),
    ("init", "--repository-version", "there is one format: leave it out"),
    ("init", "--from-repo", "dedup domains are of one repository: leave it out"),
    ("init", "--copy-chunker-params", "dedup domains are of one repository: leave it out"),
    ("init", "--encryption", ENCRYPTED),
    ("init", "-e", ENCRYPTED),
    (
        "backup",
        "--ignore-ctime",
        "files whose inode has another time are read again, and not stored again: leave it out",
    ),
    (
        "backup",
        "--ignore-inode",
        "files that have another inode are read again, and not stored again: leave it out",
    ),
    (
        "backup",
        "--use-fs-snapshot",
        "make a snapshot of the file system (LVM, btrfs, ZFS) and back up its folder",
    ),
    ("backup", "--time", "the time of a snapshot is that of the run; --description holds a remark"),
    ("backup", "--group-by", "--parent SNAP names the snapshot to compare with"),
    (
        "backup",
        "--iexclude-file",
        "--exclude-file FILE, with patterns such as [Aa]bc, or --iexclude PATTERN",
    ),
    (
        "backup",
        "--files-from0",
        "--files-from-raw FILE: names with zero bytes between them, as `find -print0` writes them",
    ),
    ("backup", "--stats", "the numbers are printed already: leave it out"),
    ("backup", "-s", "the numbers are printed already: leave it out"),
    ("backup", "--list", "`mainstay backup -v` prints a line for each path that differs"),
    ("backup", "--progress", "progress is shown already: leave it out"),
    ("restore", "--sparse", "holes of files are restored as holes already: leave it out"),
    ("restore", "--no-verify", "nothing is read back unless --verify is given: leave it out"),
    ("restore", "--include-file", "--include PATTERN, as often as needed"),
    ("restore", "--exclude-file", "--exclude PATTERN, as often as needed"),
    ("restore", "--exclude-xattr", "--no-xattrs leaves all of them out"),
    ("restore", "--delete", "--delete needs --overwrite as well: if-changed, if-newer or always"),
    ("", "--no-lock", "there are no locks: leave --no-lock out"),
    ("", "--retry-lock", "there are no locks: leave --retry-lock out"),
    ("", "--no-cache", "`--no-index` keeps nothing on this machine"),
    ("", "--cleanup-cache", "`mainstay cache clean` removes what was not used for a month"),
    ("", "--insecure-tls", "certificates are always verified"),
    ("", "--cacert", TLS),
    ("", "--tls-client-cert", "client certificates are not supported; the store asks for its keys"),
    ("", "--insecure-no-password", "a repository always has a passphrase or a key file"),
    ("", "--repository-file", "-r \"$(cat FILE)\", or `repo` in the configuration file"),
    (
        "",
        "--password",
        "a passphrase does not belong on a command line: --password-file or --password-command",
    ),
];
