//! Where a server is and who logs in there: from options, and from words that its own tools take.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::database::preset::Preset;

/// A server and a login; whatever is not said is what its tools take by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// Host name or address.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The folder of the socket (PostgreSQL), or the socket (MariaDB, MySQL).
    pub socket: Option<PathBuf>,
    /// The user of the database.
    pub user: Option<String>,
    /// A file of mode 0600 with the password: `.pgpass`, or a `[client]` section.
    pub login_file: Option<PathBuf>,
}

impl Server {
    /// From `[USER@]HOST[:PORT]`, `[USER@]/SOCKET[:PORT]`, or `host=… port=… user=… socket=…`.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let is_pairs = text.split_ascii_whitespace().all(|word| word.contains('='));
        if is_pairs && !text.starts_with('/') {
            return Self::pairs(text);
        }
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(PASSWORD.to_owned());
        }
        let mut server = Self { user: user.map(str::to_owned), ..Self::default() };
        let (place, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => match place.rsplit_once(':') {
                Some((before, port)) if !before.contains(':') => (before, Some(port)),
                _ => (place, None),
            },
        };
        server.port = port.map(number).transpose()?;
        server.put_host(place);
        Ok(server)
    }

    fn pairs(text: &str) -> Result<Self, String> {
        let mut server = Self::default();
        for word in text.split_ascii_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "host" => server.put_host(value),
                "port" => server.port = Some(number(value)?),
                "user" => server.user = Some(value.to_owned()),
                "socket" => server.socket = Some(value.into()),
                "password" => return Err(PASSWORD.to_owned()),
                other => return Err(format!("{other:?} is none of host, port, user, socket")),
            }
        }
        Ok(server)
    }

    fn put_host(&mut self, place: &str) {
        match place.starts_with('/') {
            true => self.socket = Some(place.into()),
            false => self.host = Some(place.to_owned()).filter(|host| !host.is_empty()),
        }
    }

    /// Takes words that `psql` or `mariadb` would take: where the server is, and which databases. What is
    /// said here counts more than what was said before.
    ///
    /// # Errors
    /// In words, for an option that is none of these, above all a password.
    pub fn take(&mut self, preset: Preset, words: &[OsString]) -> Result<Vec<String>, String> {
        let mut databases = Vec::new();
        let mut words = words.iter().map(|word| word.to_str().ok_or("it is not UTF-8"));
        let mut only_names = false;
        while let Some(word) = words.next() {
            let word = word?;
            if only_names || !word.starts_with('-') || word == "-" {
                databases.push(word.to_owned());
                continue;
            }
            if word == "--" {
                only_names = true;
                continue;
            }
            let (name, given) = split(word);
            let kind = meaning(preset, name).ok_or_else(|| {
                format!(
                    "{word:?} is no option that says where a server is; those that change what is \
                     dumped are not taken, for the dump could not be proved to be whole"
                )
            })?;
            if kind == Meaning::Password {
                return Err(PASSWORD.to_owned());
            }
            let value = match given {
                Some(value) => value,
                None => words.next().ok_or_else(|| format!("{word:?} needs a value"))??,
            };
            match kind {
                Meaning::Host => {
                    (self.socket, self.host) = (None, None);
                    self.put_host(value);
                }
                Meaning::Port => self.port = Some(number(value)?),
                Meaning::User => self.user = Some(value.to_owned()),
                Meaning::Socket => self.socket = Some(value.into()),
                Meaning::Login => self.login_file = Some(value.into()),
                Meaning::Database => databases.push(value.to_owned()),
                Meaning::Password => {}
            }
        }
        Ok(databases)
    }
}

const PASSWORD: &str = "a password on a command line can be read by everybody on this machine: put it \
                        into a file of mode 0600 and name that with --login-file";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Host,
    Port,
    User,
    Socket,
    Login,
    Database,
    Password,
}

fn meaning(preset: Preset, name: &str) -> Option<Meaning> {
    Some(match (preset, name) {
        (_, "-h" | "--host") => Meaning::Host,
        (Preset::Postgresql, "-p" | "--port") | (_, "-P" | "--port") => Meaning::Port,
        (Preset::Postgresql, "-U" | "--username") | (_, "-u" | "--user") => Meaning::User,
        (Preset::Postgresql, "-d" | "--dbname") | (_, "-D" | "--database") => Meaning::Database,
        (Preset::Postgresql, "-W" | "--password") | (_, "-p" | "--password") => Meaning::Password,
        (_, "-S" | "--socket") => Meaning::Socket,
        (_, "--login-file" | "--defaults-extra-file" | "--defaults-file") => Meaning::Login,
        _ => return None,
    })
}

/// The name of an option, and its value if it stands in the same word.
fn split(word: &str) -> (&str, Option<&str>) {
    match (word.strip_prefix("--"), word.char_indices().nth(2)) {
        (Some(_), _) => match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        },
        (None, Some((at, _))) => (&word[..at], Some(&word[at..])),
        (None, None) => (word, None),
    }
}

fn number(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is no port"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_read() {
        let server = Server::parse("ada@db.example.org:5433").expect("a server");
        assert_eq!((server.host.as_deref(), server.port), (Some("db.example.org"), Some(5433)));
        assert_eq!(server.user.as_deref(), Some("ada"));
        let server = Server::parse("/run/postgresql").expect("a server");
        assert_eq!((server.socket, server.host), (Some("/run/postgresql".into()), None));
        let server = Server::parse("[::1]:3306").expect("a server");
        assert_eq!((server.host.as_deref(), server.port), (Some("::1"), Some(3306)));
        let server = Server::parse("host=/tmp/x port=1 user=me").expect("a server");
        assert_eq!((server.socket, server.port), (Some("/tmp/x".into()), Some(1)));
        for wrong in ["", "me:secret@host", "host=x password=y", "host:0x", "host:99999"] {
            assert!(Server::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_of_tools_are_taken_and_passwords_are_not() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let mut server = Server::default();
        let line = "-h /run/x -p5433 --username=ada shop -- -odd";
        let names = server.take(Preset::Postgresql, &words(line)).expect("words");
        assert_eq!(names, ["shop", "-odd"]);
        assert_eq!((server.port, server.socket), (Some(5433), Some("/run/x".into())));
        for (preset, line) in [
            (Preset::Mariadb, "-psecret shop"),
            (Preset::Mariadb, "--password=secret"),
            (Preset::Mysql, "-p"),
            (Preset::Postgresql, "-W"),
            (Preset::Postgresql, "--schema-only"),
            (Preset::Postgresql, "-f /etc/passwd"),
            (Preset::Postgresql, "-h"),
        ] {
            assert!(Server::default().take(preset, &words(line)).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_does_not_panic(text in any::<String>(), words in any::<Vec<String>>()) {
            let _ = Server::parse(&text);
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            for preset in [Preset::Postgresql, Preset::Mariadb] {
                let _ = Server::default().take(preset, &words);
            }
        }
    }
}
