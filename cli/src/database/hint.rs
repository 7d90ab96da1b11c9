//! What to do about what tools of databases say when they fail.

/// A word in the messages of a tool, and the sentence that helps.
const SENTENCES: [(&str, &str); 25] = [
    (
        "server version mismatch",
        "install the client of the server's version: it is found in /usr/lib/postgresql/N/bin",
    ),
    (
        "unrecognized configuration parameter",
        "the dump was made by a client that is newer than this server: restore into a server of the \
         version that `counts.json` in the snapshot names, or newer",
    ),
    (
        "unsupported version",
        "the dump was made by a newer pg_dump: restore it with a pg_restore of at least that version",
    ),
    ("appears to be a text format dump", "it is SQL as text: feed it to psql, not to pg_restore"),
    (
        "could not read from input file: end of file",
        "the dump ends before its end: look for another snapshot, and drill that one",
    ),
    (
        "is not available",
        "install the package with that extension on the machine of the server, then repeat it",
    ),
    (
        "could not open extension control file",
        "install the package with that extension on the machine of the server, then repeat it",
    ),
    (
        "invalid locale name",
        "make that locale on the machine of the server (`locale -a` lists them), then repeat it",
    ),
    ("must be superuser", "connect as a superuser: --server with another user"),
    (
        "must be able to SET ROLE",
        "connect as a superuser, or give everything to yourself: --no-owner",
    ),
    (
        "password authentication failed",
        "put the password into a file of mode 0600 and name that with --login-file",
    ),
    (
        "no password supplied",
        "put the password into a file of mode 0600 and name that with --login-file",
    ),
    (
        "Peer authentication failed",
        "run this as that user of the system, or log in with a password: --login-file",
    ),
    (
        "permission denied for",
        "the user of the dump must be allowed to read everything: GRANT pg_read_all_data TO it",
    ),
    (
        "row-level security",
        "dump as a user that row security does not hide rows from: ALTER ROLE … BYPASSRLS",
    ),
    (
        "column_statistics",
        "the client is newer than the server: use the mysqldump of the server's version, or the \
         preset mariadb for a MariaDB server",
    ),
    ("PROCESS privilege", "GRANT PROCESS ON *.* to the user of the dump"),
    (
        "SUPER privilege",
        "routines, views or triggers belong to another user: restore as one with that privilege",
    ),
    (
        "Unknown collation",
        "the dump comes from a newer server with another set of collations: restore into a server of \
         that version or newer",
    ),
    ("max_allowed_packet", "raise max_allowed_packet of the server to 1 GiB while it is restored"),
    (
        "Access denied",
        "look at the user and the password: --server with a user, --login-file with a [client] section",
    ),
    (
        "specified as a definer",
        "a view or routine belongs to a user that does not exist: make that user, or give the object \
         another definer",
    ),
    (
        "invalid table(s) or column(s) or function(s)",
        "a view refers to something that is not there or belongs to a user that does not exist: fix or \
         drop that view, for no dump can contain it",
    ),
    ("No space left on device", "make room, or name another folder with --scratch"),
    ("onnect", "look whether the server runs and where it listens: `mainstay database detect`"),
];

/// The sentence for what a tool said, if there is one.
#[must_use]
pub fn of(said: &str) -> Option<&'static str> {
    SENTENCES.iter().find(|(word, _)| said.contains(word)).map(|(_, sentence)| *sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_failures_have_a_sentence() {
        for (said, word) in [
            ("pg_dump: error: aborting because of server version mismatch", "install the client"),
            ("ERROR:  unrecognized configuration parameter \"transaction_timeout\"", "newer than"),
            ("pg_restore: error: unsupported version (1.16) in file header", "newer pg_dump"),
            ("input file appears to be a text format dump. Please use psql.", "psql"),
            ("ERROR: extension \"postgis\" is not available", "install the package"),
            ("FATAL:  password authentication failed for user \"x\"", "--login-file"),
            ("Unknown table 'COLUMN_STATISTICS' … column_statistics", "newer than the server"),
            ("ERROR 1273 (HY000): Unknown collation: 'utf8mb4_0900_ai_ci'", "newer server"),
            ("Got a packet bigger than 'max_allowed_packet' bytes", "1 GiB"),
            ("Can't connect to local server through socket", "database detect"),
        ] {
            let sentence = of(said).unwrap_or_default();
            assert!(sentence.contains(word), "{said}: {sentence}");
        }
        assert_eq!(of("all is well"), None);
    }
}
