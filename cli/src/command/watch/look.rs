//! A look at one store, within a time.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use restore_verify::fleet::facts::Facts;

use crate::args::global::GlobalArgs;
use crate::command::context::Context;
use crate::command::open::open;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::night::load::Organisation;
use crate::ui::cancel::Cancel;
use crate::ui::output::Output;
use crate::ui::{Settings, Ui};

/// Whoever is asked to end gets so long.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is seen whether the user wants to stop.
const TICK: Duration = Duration::from_millis(100);

/// Reads the facts of one store. One that does not answer in time is left behind: it holds up no other.
///
/// # Errors
/// Whatever is in the way; exit code 24 if it took too long.
pub(crate) fn look(
    organisation: &Organisation,
    patience: Duration,
    context: &Context<'_>,
) -> Result<Facts, Fault> {
    let cancel = Cancel::default();
    let around = Surroundings {
        variables: organisation.variables(context.around),
        // Nobody sits there to be asked.
        stdin_is_terminal: false,
        ask_hidden: Arc::new(|_| Err(std::io::ErrorKind::NotFound.into())),
        stdout: Output::new(std::io::sink(), false),
        stderr: Output::new(std::io::sink(), false),
        cancel: cancel.clone(),
        ..context.around.clone()
    };
    let mut global: GlobalArgs = context.global.clone();
    global.config = Some(organisation.path.clone());
    (global.json, global.quiet) = (false, true);
    global.complete(organisation.file.clone());
    if global.connect_timeout.is_none() {
        global.connect_timeout = Some(patience.clamp(Duration::from_secs(1), TIMEOUT_MAX));
    }
    let (tell, told) = sync_channel(1);
    let begun = std::thread::Builder::new().name("look".to_owned()).spawn(move || {
        let held = around.cancel.clone();
        let _observed = held.observe();
        // Nobody waits for it any more if that fails.
        let _ = tell.send(read(&around, &global));
    });
    if let Err(error) = begun {
        return Err(Fault::local("cannot begin another thread").because(&error));
    }
    let stopped = &context.around.cancel;
    let mut waited = Duration::ZERO;
    loop {
        match told.recv_timeout(TICK) {
            Ok(found) => return found,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Fault::local("the look at the store ended without a word"));
            }
            Err(RecvTimeoutError::Timeout) => waited += TICK,
        }
        if waited > patience || stopped.is_asked() {
            break;
        }
    }
    cancel.set();
    let _ = told.recv_timeout(GRACE);
    match stopped.is_asked() {
        true => Err(Fault::interrupted()),
        false => Err(Fault::new(
            ExitCode::Store,
            "E_STORE",
            format!("the store did not answer within {} s", patience.as_secs()),
        )),
    }
}

/// The first answer of a store may take so long.
const TIMEOUT_MAX: Duration = Duration::from_secs(20);

fn read(around: &Surroundings, global: &GlobalArgs) -> Result<Facts, Fault> {
    let settings = Settings { quiet: true, ..Settings::default() };
    let ui = Ui::new(settings, around.stdout.clone(), around.stderr.clone());
    let context = Context { ui: &ui, around, global, limits: global.limits(around) };
    let opened = open(&context)?;
    let catalog = opened.catalog()?;
    Ok(Facts::read(&opened.repo, &opened.state, &catalog)?)
}
