//! `config stored`: how machines are set up, as they stored it in the repository.

use std::collections::BTreeMap;
use std::path::Path;

use engine::format::machine::Configuration;
use engine::index::setups::{self, Setup};

use crate::args::night::StoredArgs;
use crate::command::context::Context;
use crate::command::open::open;
use crate::command::place::{PrivateFile, absolute};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::night::StoredRecord;
use crate::ui::table::{Align, Table};
use crate::units;

/// What stands first in a file that came back.
pub const HEAD: &str = "\
# This configuration came from the repository. Read what it would start (hooks, commands of sources,
# password-command), then take the next line out.
unconfirmed = true
";

/// Lists them, or writes one to a file.
///
/// # Errors
/// Exit code 12 for a key that may not read names, 2 if there is none or several hosts are meant, 20 for
/// one that cannot be read.
pub fn run(args: &StoredArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let mut found =
        setups::read(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))?;
    if let Some(host) = &args.host {
        found.retain(|setup| host_of(setup) == *host);
    }
    if let Some(number) = args.number {
        found.retain(|setup| setup.number == number);
    }
    match &args.to {
        Some(path) => write(path, &found, context),
        None => list(&found, context),
    }
}

/// The host that it is of; the name of the client if it cannot be read.
#[must_use]
pub fn host_of(setup: &Setup) -> String {
    let said = setup.configuration.as_ref().ok().and_then(|it| fact(it, "host"));
    said.unwrap_or_else(|| setup.name.clone())
}

fn fact(configuration: &Configuration, name: &str) -> Option<String> {
    let facts = &configuration.facts;
    facts.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
}

fn list(found: &[Setup], context: &Context<'_>) -> Result<ExitCode, Fault> {
    let mut table = Table::new(&[
        ("host", Align::Left),
        ("version", Align::Right),
        ("stored", Align::Left),
        ("client", Align::Left),
        ("file", Align::Left),
    ]);
    let mut unreadable = 0;
    for setup in found {
        let said = setup.configuration.as_ref().ok();
        let file = said.and_then(|it| fact(it, "file"));
        if let Err(why) = &setup.configuration {
            let item = format!("configuration {} of {}", setup.number, setup.name);
            context.ui.problem("reading", item.as_bytes(), why);
            unreadable += 1;
        }
        if context.ui.is_json() {
            context.ui.message(&Message::StoredConfiguration(StoredRecord {
                client: setup.client.to_string(),
                name: setup.name.clone(),
                number: setup.number,
                received: units::rfc3339(setup.received),
                host: said.and_then(|it| fact(it, "host")),
                file,
                text: said.map(|it| it.file.clone()),
            }));
            continue;
        }
        table.row([
            host_of(setup),
            setup.number.to_string(),
            units::local_time(setup.received, &context.around.time_zone),
            setup.name.clone(),
            file.unwrap_or_default(),
        ]);
    }
    if !context.ui.is_json() {
        match found.is_empty() {
            true => context.ui.note("no machine has stored a configuration"),
            false => table.lines().iter().for_each(|line| context.ui.result(line)),
        }
    }
    match unreadable {
        0 => Ok(ExitCode::Ok),
        count => {
            let message = format!("{} cannot be read", units::counted(count, "configuration"));
            Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
                .hint("`mainstay check` says what is damaged"))
        }
    }
}

fn write(path: &Path, found: &[Setup], context: &Context<'_>) -> Result<ExitCode, Fault> {
    let mut newest: BTreeMap<String, &Setup> = BTreeMap::new();
    for setup in found {
        let newer = newest.entry(host_of(setup)).or_insert(setup);
        if setup.received > newer.received {
            *newer = setup;
        }
    }
    if newest.len() > 1 {
        let hosts: Vec<&str> = newest.keys().map(String::as_str).collect();
        return Err(Fault::usage(format!("these hosts have one: {}", hosts.join(", ")))
            .hint("say which with --host"));
    }
    let Some((host, setup)) = newest.pop_first() else {
        return Err(Fault::usage("no such configuration is stored")
            .hint("`mainstay config stored` lists those that are"));
    };
    let configuration = setup.configuration.as_ref().map_err(|why| {
        let message = format!("the configuration of {host} cannot be read: {why}");
        Fault::new(ExitCode::Damage, "E_CORRUPT", message)
            .hint("--number takes an older one; `mainstay config stored` lists them")
    })?;
    let file = PrivateFile::create(absolute(path, context.around)?, "the configuration")?;
    let text = format!("{HEAD}{}", without_head(&configuration.file));
    let written = file.keep(text.as_bytes())?;
    context.ui.result(&format!(
        "{}: configuration {} of {host}, as the store received it {}",
        written.display(),
        setup.number,
        units::local_time(setup.received, &context.around.time_zone),
    ));
    context.ui.note("what it would start stays off until `unconfirmed = true` is taken out of it");
    Ok(ExitCode::Ok)
}

/// What came back before has the line already.
#[must_use]
pub fn without_head(text: &str) -> String {
    let is_head = |line: &&str| line.split('=').next().is_some_and(|it| it.trim() == "unconfirmed");
    text.lines().filter(|line| !is_head(line)).map(|line| format!("{line}\n")).collect()
}
