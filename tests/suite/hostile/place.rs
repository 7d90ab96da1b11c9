//! Where the repository of a test lies: in a folder, on a server of S3, or in memory; and what an
//! attacker does to the objects there, past the program.

#![expect(clippy::disallowed_methods, reason = "the place of a real store comes from outside")]
#![expect(clippy::print_stderr, reason = "a test that was not run says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use engine::store::{Location, Store, StoreOptions};
use futures::stream::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use system_tests::double::Double;

/// What kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// A folder of this machine.
    Folder,
    /// A server of S3 in this process.
    S3,
    /// The server of S3 that `MAINSTAY_TEST_S3` names.
    RealS3,
    /// Memory of this process, where no program comes to.
    Memory,
}

/// Each of these tests on a repository in a folder, and on one on a server of S3 in this process.
macro_rules! everywhere {
    ($($test:ident),* $(,)?) => {
        mod in_a_folder {
            $(#[test] fn $test() { super::$test(crate::hostile::place::At::Folder); })*
        }
        mod on_s3 {
            $(#[test] fn $test() { super::$test(crate::hostile::place::At::S3); })*
        }
    };
}
pub(crate) use everywhere;

/// Each of these tests on a real server of S3 as well, which takes longer.
macro_rules! on_a_real_server {
    ($($test:ident),* $(,)?) => {
        mod on_a_real_server {
            $(#[test] fn $test() { crate::hostile::place::really(super::$test); })*
        }
    };
}
pub(crate) use on_a_real_server;

/// Names a server that tests may use.
const REAL: &str = "MAINSTAY_TEST_S3";

/// Runs a test on the server that `MAINSTAY_TEST_S3` names, if it does.
pub(crate) fn really(test: fn(At)) {
    match Server::named(REAL) {
        Some(_) => test(At::RealS3),
        None => eprintln!("not run: {REAL} is not set"),
    }
}

/// All repositories of one process on one server, below prefixes of their own.
static SERVER: LazyLock<Double> = LazyLock::new(Double::start);
static COUNT: AtomicU32 = AtomicU32::new(0);
static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime can be made")
});

/// A bucket on a server of S3, and the keys of somebody.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) region: String,
}

enum Raw {
    Folder(PathBuf),
    Objects { inner: Arc<dyn ObjectStore>, prefix: String },
}

/// A place for one repository.
pub(crate) struct Place {
    at: At,
    /// As the program takes it.
    pub(crate) location: String,
    server: Option<Server>,
    raw: Raw,
}

impl Place {
    /// An empty one; in a folder it is `name` below `folder`.
    pub(crate) fn new(at: At, folder: &Path, name: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::AcqRel);
        match at {
            At::Folder => {
                let path = folder.join(name);
                let location = path.display().to_string();
                Self { at, location, server: None, raw: Raw::Folder(path) }
            }
            At::Memory => {
                let raw = Raw::Objects { inner: Arc::new(InMemory::new()), prefix: String::new() };
                Self { at, location: "memory".to_owned(), server: None, raw }
            }
            At::S3 => Self::on(at, Server::of_this_process(), format!("acme-{number}")),
            At::RealS3 => {
                let server = Server::named(REAL).expect("it is named");
                Self::on(at, server, format!("hostile/{}-{number}", fresh_name()))
            }
        }
    }

    fn on(at: At, server: Server, prefix: String) -> Self {
        let location = format!("s3://{}/{prefix}", server.bucket);
        let raw = Raw::Objects { inner: server.client(), prefix };
        Self { at, location, server: Some(server), raw }
    }

    /// A copy of all objects in another place of the same kind.
    pub(crate) fn fork(&self) -> Self {
        let parent = match &self.raw {
            Raw::Folder(path) => path.parent().expect("it is below a folder").to_owned(),
            Raw::Objects { .. } => PathBuf::new(),
        };
        let name = format!("fork-{}", COUNT.fetch_add(1, Ordering::AcqRel));
        let fork = Self::new(self.at, &parent, &name);
        fork.put_back(&self.objects());
        fork
    }

    /// A new connection.
    pub(crate) fn store(&self) -> Store {
        if let (At::Memory, Raw::Objects { inner, .. }) = (self.at, &self.raw) {
            return Store::from_object_store(Arc::clone(inner), "memory", true);
        }
        let options = match &self.server {
            None => StoreOptions::default(),
            Some(server) => StoreOptions {
                endpoint: Some(server.endpoint.clone()),
                region: Some(server.region.clone()),
                environment: vec![
                    ("AWS_ACCESS_KEY_ID".to_owned(), server.access.clone()),
                    ("AWS_SECRET_ACCESS_KEY".to_owned(), server.secret.clone()),
                ],
                ..StoreOptions::default()
            },
        };
        let location = Location::parse(&self.location).expect("a location");
        Store::open(&location, &options, true).expect("the store can be opened")
    }

    /// What stands behind a connection, for stores that stand before it.
    pub(crate) fn object_store(&self) -> Arc<dyn ObjectStore> {
        match (self.at, &self.raw) {
            (At::Memory, Raw::Objects { inner, .. }) => Arc::clone(inner),
            _ => unreachable!("only memory can be reached from here"),
        }
    }

    /// The variables with which a program finds the repository.
    pub(crate) fn point(&self, command: &mut Command) {
        command.env("MAINSTAY_REPOSITORY", &self.location);
        if let Some(server) = &self.server {
            server.point(command);
        }
    }

    /// Keys that begin with this, sorted.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let mut keys = match &self.raw {
            Raw::Folder(root) => files_below(root, root),
            Raw::Objects { inner, prefix } => {
                let below = Key::from(prefix.as_str());
                let listed: Result<Vec<_>, _> = wait(inner.list(Some(&below)).try_collect());
                let listed = listed.expect("it can be listed");
                let keys = listed.into_iter().map(|meta| meta.location.to_string());
                let start = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
                keys.map(|key| key[start..].to_owned()).collect()
            }
        };
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        keys
    }

    /// The bytes of an object that is there.
    pub(crate) fn read(&self, key: &str) -> Bytes {
        match &self.raw {
            Raw::Folder(root) => std::fs::read(root.join(key)).expect("it can be read").into(),
            Raw::Objects { inner, .. } => {
                let got = async { inner.get(&self.key(key)).await?.bytes().await };
                wait(got).expect("it can be read")
            }
        }
    }

    /// Puts any bytes under any key.
    pub(crate) fn write(&self, key: &str, bytes: &[u8]) {
        match &self.raw {
            Raw::Folder(root) => system_tests::trees::put(&root.join(key), bytes),
            Raw::Objects { inner, .. } => {
                let body = Bytes::copy_from_slice(bytes).into();
                wait(inner.put(&self.key(key), body)).expect("the store takes it");
            }
        }
    }

    /// Removes an object; if it is not there, that is done.
    pub(crate) fn delete(&self, key: &str) {
        match &self.raw {
            Raw::Folder(root) => match std::fs::remove_file(root.join(key)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                done => done.expect("it is ours"),
            },
            Raw::Objects { inner, .. } => {
                wait(inner.delete(&self.key(key))).expect("the store forgets it");
            }
        }
    }

    /// All objects.
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        let keys = self.keys("");
        keys.into_iter().map(|key| (key.clone(), self.read(&key))).collect()
    }

    /// Makes these all objects; what is the same already is not touched and keeps its time.
    pub(crate) fn put_back(&self, objects: &BTreeMap<String, Bytes>) {
        let now = self.objects();
        for key in now.keys().filter(|key| !objects.contains_key(*key)) {
            self.delete(key);
        }
        for (key, bytes) in objects.iter().filter(|(key, bytes)| now.get(*key) != Some(*bytes)) {
            self.write(key, bytes);
        }
    }

    fn key(&self, key: &str) -> Key {
        match &self.raw {
            Raw::Objects { prefix, .. } if !prefix.is_empty() => {
                Key::from(format!("{prefix}/{key}"))
            }
            _ => Key::from(key),
        }
    }
}

impl Server {
    pub(crate) fn of_this_process() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            endpoint: SERVER.endpoint.clone(),
            bucket: text("bucket"),
            access: text("AKIAOFTHETEST"),
            secret: text("secret-of-the-test"),
            region: text("eu-central-1"),
        }
    }

    /// The one that a variable names, if it is set.
    pub(crate) fn named(variable: &str) -> Option<Self> {
        let named = std::env::var(variable).ok()?;
        let parts: Vec<_> = named.split(',').map(str::to_owned).collect();
        let [endpoint, _, bucket, access, secret, region] =
            parts.try_into().expect("as many parts as docs/TESTING.md says");
        Some(Self { endpoint, bucket, access, secret, region })
    }

    /// The variables with which a program finds it.
    pub(crate) fn point(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", &self.region);
    }

    /// Requests of whoever has these keys, past the program.
    pub(crate) fn client(&self) -> Arc<dyn ObjectStore> {
        let client = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_bucket_name(&self.bucket)
            .with_access_key_id(&self.access)
            .with_secret_access_key(&self.secret)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(false)
            .with_allow_http(true)
            .with_disable_bulk_delete(true)
            .build();
        Arc::new(client.expect("an S3 client"))
    }
}

/// What a client of an object store does, from outside of its runtime.
pub(crate) fn wait<T>(task: impl Future<Output = T>) -> T {
    RUNTIME.block_on(task)
}

/// A name that nobody used before.
pub(crate) fn fresh_name() -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    format!("{}-{}", now.as_millis(), std::process::id())
}

/// Files below a folder by their paths from `root`, without the room that is kept free beside them.
fn files_below(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(root, &path));
            continue;
        }
        let key = path.strip_prefix(root).expect("it is below").to_string_lossy().into_owned();
        found.extend((!key.starts_with("reserve")).then_some(key));
    }
    found
}
