//! Three clients of one agent against a real server of S3, killed again and again, and an agent that is
//! stopped for a while.

use std::process::{Child, Stdio};
use std::time::Duration;

use agent::state::{Phase, State};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::hostile::place::{Server, really};
use crate::place::{Place, put, ran};

/// So often it is killed, unless `MAINSTAY_TEST_KILLS` says how often.
const KILLS: u64 = 10;
const CLIENTS: [&str; 3] = ["alpha", "beta", "gamma"];

#[expect(clippy::disallowed_methods, reason = "tests take options from the environment")]
fn kills() -> u64 {
    std::env::var("MAINSTAY_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

struct Fleet {
    place: Place,
    server: Server,
    prefix: String,
}

impl Fleet {
    /// A folder of configurations, and a repository for each of them.
    fn new(server: Server) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::with_repository();
        std::fs::create_dir(place.path("clients")).expect("a folder");
        let env = format!(
            "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\nAWS_REGION={}\n",
            server.access, server.secret, server.region
        );
        put(&place.path("clients/store.env"), env.as_bytes());
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.path("clients/store.env"), private).expect("it is ours");
        let prefix = format!("nights-{}", std::process::id());
        let fleet = Self { place, server, prefix };
        for client in CLIENTS {
            let text = format!(
                "client = \"{client}\"\nrepo = \"{}\"\nendpoint = \"{}\"\nallow-http = true\n\
                 environment-file = \"store.env\"\n[[source]]\nname = \"files\"\n\
                 paths = [\"../source\"]\n[schedule]\nbackup = \"every 3s\"\n",
                fleet.location(client),
                fleet.server.endpoint
            );
            put(&fleet.place.path(&format!("clients/{client}.toml")), text.as_bytes());
            let line = ["init", "-q", "--no-probe", "--kdf-memory", "64MiB"];
            fleet.run(client, &line).expect(0);
        }
        fleet
    }

    fn location(&self, client: &str) -> String {
        format!("s3://{}/{}/{client}", self.server.bucket, self.prefix)
    }

    /// The program with the repository of one client.
    fn run(&self, client: &str, words: &[&str]) -> crate::place::Ran {
        let mut command = self.place.command(words);
        command.args(["--allow-http", "-r", &self.location(client)]);
        command.args(["--endpoint", &self.server.endpoint]);
        command.env("AWS_ACCESS_KEY_ID", &self.server.access);
        command.env("AWS_SECRET_ACCESS_KEY", &self.server.secret);
        command.env("AWS_REGION", &self.server.region);
        ran(&mut command)
    }

    fn start(&self) -> Child {
        let mut command = self.place.command(["agent", "--config", "clients"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program can be started")
    }

    fn snapshots(&self, client: &str) -> usize {
        let listed = self.run(client, &["snapshots", "--json"]).expect(0);
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        listed.as_array().map_or(0, Vec::len)
    }

    /// Slots that are done and those that are open, of one client.
    fn slots(&self, client: &str) -> (usize, usize) {
        let folders = std::fs::read_dir(self.place.path("state/agent")).expect("a folder");
        let mut folders = folders.flatten().map(|entry| entry.path());
        let is_it = |path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(client))
        };
        let path = folders.find(is_it).expect("the client has a folder").join("agent.sqlite");
        let state = State::look_at(&path).expect("it can be read").expect("it is there");
        let rows = state.runs(10_000).expect("they can be read");
        let done = rows.iter().filter(|row| {
            row.verdict.as_ref().is_some_and(|verdict| verdict.outcome.has_snapshot())
        });
        let open = rows.iter().filter(|row| row.phase != Phase::Ended).count();
        (done.count(), open)
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it is ours");
}

#[test]
fn three_clients_on_a_real_server_have_each_due_backup_once() {
    really(|_| kill_again_and_again());
}

fn kill_again_and_again() {
    let server = Server::named("MAINSTAY_TEST_S3").expect("it is named");
    let fleet = Fleet::new(server);
    for round in 0..kills() {
        let mut child = fleet.start();
        std::thread::sleep(Duration::from_millis(200 + round * 331 % 2300));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
    let mut child = fleet.start();
    // A run that was cut off in its last attempt is finished, and a few more follow.
    std::thread::sleep(Duration::from_secs(8));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    fleet.place.run(["run", "--due", "--config", "clients"]).expect(0);
    for client in CLIENTS {
        let (done, open) = fleet.slots(client);
        assert_eq!((fleet.snapshots(client), open), (done, 0), "{client}: snapshots, open slots");
        assert!(done > 2, "{client}: only {done} backups");
        fleet.run(client, &["check"]).expect(0);
    }
}

#[test]
fn an_agent_that_was_stopped_for_a_while_makes_up_for_it_once() {
    let place = Place::with_repository();
    crate::by_itself::configure(&place, "every 1s", "");
    let mut command = place.command(["agent", "--config", "acme.toml"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("the program can be started");
    let count = || crate::by_itself::snapshots(&place);
    let wait = |least: usize| {
        (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            count() >= least
        })
    };
    assert!(wait(2), "it did not begin");
    signal(&child, Signal::STOP);
    std::thread::sleep(Duration::from_millis(500));
    let before = count();
    std::thread::sleep(Duration::from_secs(6));
    let during = count();
    assert!(during <= before + 1, "the backup that ran may end");
    signal(&child, Signal::CONT);
    assert!(wait(during + 2), "it did not go on");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let folder = std::fs::read_dir(place.path("state/agent")).expect("a folder").flatten().next();
    let path = folder.expect("one client").path().join("agent.sqlite");
    let state = State::look_at(&path).expect("it can be read").expect("it is there");
    let rows = state.runs(10_000).expect("they can be read");
    let gap = rows.iter().map(|row| row.slots).max();
    assert!(gap.is_some_and(|slots| (4..=8).contains(&slots)), "slots of the gap: {gap:?}");
}
