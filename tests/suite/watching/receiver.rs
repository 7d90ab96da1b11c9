//! A receiver of webhooks that fails as told, and checks signatures with other programs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::base::time::{Clock, SystemClock};
use serde_json::Value;

use crate::place::{Place, put};

/// How it answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Status(u16),
    /// To another path of its own.
    Redirect,
    /// Too many, for so many seconds.
    Busy(u64),
    /// It hangs up in the middle of its answer.
    Cut,
    /// It takes so long.
    Slow(Duration),
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) path: String,
    headers: BTreeMap<String, String>,
    raw: Vec<u8>,
}

#[derive(Default)]
struct Desk {
    replies: Vec<Reply>,
    heard: Vec<Heard>,
}

pub(super) struct Receiver {
    port: u16,
    desk: Arc<Mutex<Desk>>,
}

impl Receiver {
    pub(super) fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let desk = Arc::new(Mutex::new(Desk { replies: replies.to_vec(), heard: Vec::new() }));
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let desk = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &desk));
            }
        });
        Self { port, desk }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn answer(&self, replies: &[Reply]) {
        self.desk.lock().expect("nobody panics").replies = replies.to_vec();
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.desk.lock().expect("nobody panics").heard.clone()
    }
}

fn serve(stream: TcpStream, desk: &Mutex<Desk>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut raw = vec![0; length];
    reader.read_exact(&mut raw).ok()?;
    let reply = {
        let mut desk = desk.lock().ok()?;
        desk.heard.push(Heard { path, headers, raw });
        let at = (desk.heard.len() - 1) % desk.replies.len();
        desk.replies[at].clone()
    };
    let mut stream = stream;
    let mut say = |status: u16, more: &str| {
        let end = "content-length: 0\r\nconnection: close\r\n\r\n";
        write!(stream, "HTTP/1.1 {status} x\r\n{more}{end}").ok()
    };
    match reply {
        Reply::Status(status) => say(status, ""),
        Reply::Redirect => say(307, "location: /elsewhere\r\n"),
        Reply::Busy(seconds) => say(429, &format!("retry-after: {seconds}\r\n")),
        Reply::Cut => write!(stream, "HTTP/1.1 20").ok(),
        Reply::Slow(time) => {
            std::thread::sleep(time);
            say(200, "")
        }
    }
}

impl Heard {
    pub(super) fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("the body is JSON")
    }

    pub(super) fn kind(&self) -> &'static str {
        let body = self.body();
        let kinds =
            ["condition.opened", "condition.repeated", "condition.escalated", "condition.resolved"];
        kinds.into_iter().find(|kind| body["type"] == *kind).expect("one of the four types")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    /// Checks `v1` with Python's hmac, and `v1a` with OpenSSL if there is a key.
    pub(super) fn verify(&self, shared: &str, private: &str, place: &Place) {
        let at = self.header("webhook-timestamp");
        let mut message = format!("{}.{at}.", self.id()).into_bytes();
        message.extend_from_slice(&self.raw);
        put(&place.path("message"), &message);
        let now = SystemClock::default().now().seconds.unsigned_abs();
        let at: u64 = at.parse().expect("seconds");
        assert!(now.abs_diff(at) < 300, "it was signed just now");
        assert!(!self.id().is_empty() && !self.id().contains('.'));
        let signatures: Vec<&str> = self.header("webhook-signature").split(' ').collect();
        let v1 = signatures.iter().find_map(|one| one.strip_prefix("v1,")).expect("a v1");
        let script = "import sys,hmac,base64\n\
            k=base64.b64decode(sys.argv[1][6:])\n\
            m=open('message','rb').read()\n\
            d=hmac.new(k,m,'sha256').digest()\n\
            sys.exit(not hmac.compare_digest(d,base64.b64decode(sys.argv[2])))";
        let mut python = Command::new("python3");
        python.args(["-c", script, shared, v1]).current_dir(place.folder.path());
        assert!(python.status().expect("python3").success(), "v1 does not fit");
        if private.is_empty() {
            return;
        }
        let v1a = signatures.iter().find_map(|one| one.strip_prefix("v1a,")).expect("a v1a");
        let script = "import sys,base64\n\
            seed=base64.b64decode(sys.argv[1][5:])\n\
            open('key.der','wb').write(bytes.fromhex('302e020100300506032b657004220420')+seed)\n\
            open('sig','wb').write(base64.b64decode(sys.argv[2]))";
        let mut python = Command::new("python3");
        python.args(["-c", script, private, v1a]).current_dir(place.folder.path());
        assert!(python.status().expect("python3").success());
        let mut openssl = Command::new("openssl");
        openssl.args(["pkeyutl", "-verify", "-rawin", "-inkey", "key.der", "-keyform", "DER"]);
        openssl.args(["-in", "message", "-sigfile", "sig"]).stdout(Stdio::null());
        let checked = openssl.current_dir(place.folder.path()).status();
        assert!(checked.expect("openssl").success(), "v1a does not fit");
    }
}

/// A real mail server that appends each message to the file `mails`.
pub(super) fn mail_server(place: &Place) -> Option<(Child, u16)> {
    let script = "import sys,time\n\
        from aiosmtpd.controller import Controller\n\
        class H:\n\
        \x20   async def handle_DATA(self,server,session,envelope):\n\
        \x20       f=open('mails','ab'); f.write(envelope.content.replace(b'\\r\\n',b'\\n')+b'=====\\n')\n\
        \x20       f.close()\n\
        \x20       return '250 kept'\n\
        c=Controller(H(),hostname='127.0.0.1',port=int(sys.argv[1])); c.start()\n\
        print('ready',flush=True)\n\
        time.sleep(60)";
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    let mut python = Command::new("python3");
    python.args(["-c", script, &port.to_string()]).current_dir(place.folder.path());
    let mut child = python.stdout(Stdio::piped()).spawn().expect("python3");
    let mut line = String::new();
    let said = child.stdout.take().map(|pipe| BufReader::new(pipe).read_line(&mut line));
    if said.is_none_or(|read| read.is_err()) || line.trim() != "ready" {
        let _ = child.wait();
        return None;
    }
    Some((child, port))
}
