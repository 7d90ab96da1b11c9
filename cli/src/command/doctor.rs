//! `doctor`: what is set, where it comes from, what works, and what to type next, on one page.
//!
//! Each line is one look. After the first that fails, those that need it are left out; the exit
//! code is that of the first failure, so that a script learns the same as a person. It changes
//! nothing but for a small object that it writes into the store and deletes, to learn its clock.

/// The page, a look a line.
mod page;
/// The repository once it is open.
mod inside;

use std::path::{Path, PathBuf};

use engine::base::path::escape;
use engine::store::Location;
use engine::store::name::prefix;

use crate::args::program::DoctorArgs;
use crate::command::context::Context;
use crate::command::doctor::page::Page;
use crate::command::open::{open, store};
use crate::config::credential::{Source, choose};
use crate::config::file::ConfigFile;
use crate::config::repository::{Place, resolve, state_dir};
use crate::fault::{ExitCode, Fault};
use crate::ui::Paint;
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::table::wrap;
use crate::ui::upkeep::{Doctor, Look};
use crate::units;

/// The look at what opens the repository.
const CREDENTIAL: &str = "passphrase or key";
/// Columns of the word that a look begins with.
const MARK_WIDTH: usize = 7;
/// Where a setting comes from that nobody made.
const DEFAULT: &str = "default";
/// Less free space than this is worth a word.
const SPACE_LOW_BYTES: u64 = 1 << 30;

/// Looks at everything.
///
/// # Errors
/// The first thing that does not work, after all that could be looked at was shown.
pub fn run(_args: &DoctorArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let mut page = Page::default();
    page.look_around(context);
    if page.next.is_none() && page.fault.is_some() {
        // Once what stands behind `try` was done.
        page.next = Some("mainstay doctor".to_owned());
    }
    page.show(context);
    match page.fault {
        None => Ok(ExitCode::Ok),
        // It was shown in its line; what remains is the code.
        Some(fault) if !context.ui.is_json() => Ok(fault.exit_code()),
        Some(fault) => Err(fault),
    }
}

impl Page {
    fn look_around(&mut self, context: &Context<'_>) {
        let around = context.around;
        let file = ConfigFile::locate(context.global.config.as_deref(), around);
        match &file {
            Some(path) => self.good("configuration", escape_path(path), None),
            None => {
                let usual = around.usual_configs.iter().map(|path| escape_path(path));
                let usual = usual.collect::<Vec<_>>().join(", ");
                self.good("configuration", format!("none; looked for {usual}"), None);
            }
        }
        let origin = Origin { file, context };
        let place = self.repository(&origin);
        self.credential(&origin);
        self.state(&origin);
        let Some(place) = place else {
            self.next = Some("mainstay -r /srv/backup init --kit kit.txt".to_owned());
            return;
        };
        if !self.store(&place, context) {
            return;
        }
        let is_missing = |look: &Look| look.name == CREDENTIAL && look.outcome == "failed";
        if self.looks.iter().any(is_missing) {
            self.next = Some("mainstay -p FILE doctor".to_owned());
            return;
        }
        match open(context) {
            Ok(opened) => self.inside(&opened, context),
            Err(fault) => {
                match fault.exit_code() {
                    ExitCode::NoRepository => {
                        return self.no_repository(&place, fault, "repository opens", context);
                    }
                    ExitCode::Key => self.next = Some("mainstay key test".to_owned()),
                    ExitCode::Failed if fault.code() == "E_LOCAL" => {
                        self.next = Some("mainstay --cache-dir DIR doctor".to_owned());
                    }
                    _ => {}
                }
                self.bad("repository opens", fault);
            }
        }
    }

    fn repository(&mut self, origin: &Origin<'_>) -> Option<Place> {
        let context = origin.context;
        let place = match resolve(&context.global.repository(), context.around) {
            Ok(place) => place,
            Err(fault) => {
                self.bad("repository", fault);
                return None;
            }
        };
        let from = origin.of(
            context.global.repo.is_some(),
            |file| file.repo.is_some(),
            &["MAINSTAY_REPOSITORY"],
        );
        self.good("repository", printable(&place.location), Some(from));
        if let Some(endpoint) = &place.endpoint {
            let from = origin.of(
                context.global.endpoint.is_some(),
                |file| file.endpoint.is_some(),
                &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
            );
            self.good("endpoint", printable(endpoint), Some(or_location(from)));
        }
        if let Some(region) = &place.region {
            let from = origin.of(false, |_| false, &["AWS_REGION", "AWS_DEFAULT_REGION"]);
            self.good("region", printable(region), Some(or_location(from)));
        }
        Some(place)
    }

    fn credential(&mut self, origin: &Origin<'_>) {
        let context = origin.context;
        let (what, names): (String, &[&str]) =
            match choose(&context.global.credential(), context.around) {
                Err(fault) => return self.bad(CREDENTIAL, fault),
                Ok(Source::KeyFile(path)) => {
                    (format!("key file {}", escape_path(&path)), &["MAINSTAY_KEY_FILE"])
                }
                Ok(Source::File(path)) => {
                    (format!("file {}", escape_path(&path)), &["MAINSTAY_PASSWORD_FILE"])
                }
                Ok(Source::Command(_)) => {
                    ("what a command prints".to_owned(), &["MAINSTAY_PASSWORD_COMMAND"])
                }
                Ok(Source::Variable) => (
                    "in the environment, where others of this user see it".to_owned(),
                    &["MAINSTAY_PASSWORD"],
                ),
                Ok(Source::Descriptor(fd)) => {
                    (format!("descriptor {fd}"), &["MAINSTAY_PASSWORD_FD"])
                }
                Ok(Source::Prompt) => ("is asked for at the terminal".to_owned(), &[]),
            };
        let global = context.global;
        let flag = global.key_file.is_some()
            || global.password_file.is_some()
            || global.password_command.is_some();
        let in_file = |file: &ConfigFile| {
            file.key_file.is_some()
                || file.password_file.is_some()
                || file.password_command.is_some()
        };
        let from = (!names.is_empty()).then(|| origin.of(flag, in_file, names));
        self.good(CREDENTIAL, what, from);
    }

    fn state(&mut self, origin: &Origin<'_>) {
        let context = origin.context;
        if context.global.no_index {
            return self.good("local state", "none".to_owned(), Some("--no-index".to_owned()));
        }
        let folder = match state_dir(context.global.cache_dir.as_deref(), context.around) {
            Ok(folder) => folder,
            Err(fault) => return self.bad("local state", fault),
        };
        let from = origin.of(
            context.global.cache_dir.is_some(),
            |file| file.cache_dir.is_some(),
            &["MAINSTAY_STATE_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"],
        );
        self.good("local state", escape_path(&folder), Some(from));
        self.space("space for it", &folder);
    }

    /// How much room there is where `folder` is or will be.
    fn space(&mut self, name: &'static str, folder: &Path) {
        let there = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
        let Ok(space) = rustix::fs::statvfs(there) else { return };
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let text = format!("{} free", units::size(free));
        match free < SPACE_LOW_BYTES {
            true => self.warn(name, text, "`mainstay cache clean` and `mainstay prune` free space"),
            false => self.good(name, text, None),
        }
    }

    /// Whether the store answers.
    fn store(&mut self, place: &Place, context: &Context<'_>) -> bool {
        let opened = store(context, &context.global.repository(), false);
        let (store, _, location) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                match fault.exit_code() {
                    ExitCode::NoRepository => self.no_repository(place, fault, "store", context),
                    _ => self.bad("store", fault),
                }
                return false;
            }
        };
        let clock = &context.around.clock;
        let began = clock.monotonic();
        if let Err(error) = store.list(prefix::SLOTS) {
            self.bad("store", Fault::during(crate::fault::Doing::Find, &error));
            return false;
        }
        let took = clock.monotonic().saturating_sub(began);
        self.good("store", format!("answers in {} ms", took.as_millis()), None);
        if let Some(folder) = location.local_path() {
            self.space("space in it", folder);
        }
        if place.allow_http && place.endpoint.as_ref().is_some_and(|url| url.starts_with("http:")) {
            self.warn("transport", "plain HTTP".to_owned(), "use https:// where others can listen");
        }
        true
    }

    /// Nothing is where the repository should be. Of a folder that is gone or empty nobody knows
    /// whether there never was one, or whether its disk is not mounted; then a new one in its place
    /// would hide it.
    fn no_repository(
        &mut self,
        place: &Place,
        fault: Fault,
        name: &'static str,
        context: &Context<'_>,
    ) {
        let init = init(context);
        let folder = Location::parse(&place.location).ok();
        let folder = folder.as_ref().and_then(Location::local_path).map(escape_path);
        let Some(folder) = folder else {
            self.next = Some(init);
            return self.bad(name, fault);
        };
        let hint = format!(
            "if {folder} lies on a disk or a share, mount that and repeat `mainstay doctor`; if \
             there never was a repository, `{init}` makes one"
        );
        self.bad(name, fault.hint(hint));
    }

    fn show(&self, context: &Context<'_>) {
        let ui = context.ui;
        if ui.is_json() {
            ui.message(&Message::Doctor(Doctor {
                ok: self.fault.is_none(),
                looks: self.looks.clone(),
                next: self.next.clone(),
            }));
            return;
        }
        let width = self.looks.iter().map(|look| look.name.len()).max().unwrap_or(0);
        for look in &self.looks {
            let (mark, paint) = match look.outcome {
                "failed" => ("FAILED ", Some(Paint::Bad)),
                "warning" => ("warning", Some(Paint::Warn)),
                "unknown" => ("unknown", Some(Paint::Dim)),
                _ => ("ok     ", None),
            };
            let mark = paint.map_or_else(|| mark.to_owned(), |paint| ui.paint(paint, mark));
            let from = look.from.as_ref().map(|from| format!(" ({from})")).unwrap_or_default();
            let text = printable(&format!("{}{from}", look.text));
            let column = MARK_WIDTH + 2 + width + 2;
            let room = ui.width().map(|columns| columns.saturating_sub(column));
            let mut lines = wrap(&text, room, 0).into_iter();
            let first = lines.next().unwrap_or_default();
            ui.result(&format!("{mark}  {:width$}  {first}", look.name));
            lines.for_each(|line| ui.result(&format!("{:column$}{line}", "")));
            if let Some(hint) = &look.hint {
                ui.prose(&format!("{:column$}try: {hint}", ""), column + "try: ".len());
            }
        }
        if let Some(next) = &self.next {
            ui.prose(&format!("next: {next}"), "next: ".len());
        }
    }
}

/// What no flag and no variable says stands in the location.
fn or_location(from: String) -> String {
    if from == DEFAULT { "the location".to_owned() } else { from }
}

/// The command that makes the repository that is named.
fn init(context: &Context<'_>) -> String {
    let from_command_line = context.global.repo.as_ref().filter(|repo| {
        let file = ConfigFile::find(context.global.config.as_deref(), context.around);
        file.is_ok_and(|file| file.repo.as_ref() != Some(*repo))
    });
    match from_command_line {
        Some(repo) => format!("mainstay -r {} init --kit kit.txt", printable(repo)),
        None => "mainstay init --kit kit.txt".to_owned(),
    }
}

fn escape_path(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// Where settings come from.
struct Origin<'a> {
    file: Option<PathBuf>,
    context: &'a Context<'a>,
}

impl Origin<'_> {
    /// The place in words: `is_given` says whether a flag or the file has it.
    fn of(
        &self,
        is_given: bool,
        in_file: impl Fn(&ConfigFile) -> bool,
        variables: &[&str],
    ) -> String {
        let around = self.context.around;
        let file = ConfigFile::find(self.context.global.config.as_deref(), around);
        if let (true, Some(path), Ok(file)) = (is_given, &self.file, &file)
            && in_file(file)
        {
            return escape_path(path);
        }
        if is_given {
            return "command line".to_owned();
        }
        let set = variables.iter().find(|name| around.variable(name).is_some());
        set.map_or_else(|| DEFAULT.to_owned(), |name| (*name).to_owned())
    }
}
