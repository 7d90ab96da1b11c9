//! `init`: makes a repository and hands over what opens it in an emergency.

use engine::format::slot::KdfCost;
use engine::repo::Repo;
use engine::repo::create::{CreateOptions, Created, create};
use engine::repo::error::RepoError;
use engine::store::Store;
use engine::store::contract::ProbeReport;
use zeroize::Zeroizing;

use crate::args::repository::InitArgs;
use crate::args::values::Suite;
use crate::command::context::Context;
use crate::command::open::{progress, store};
use crate::command::place::{PrivateFile, absolute};
use crate::command::trouble;
use crate::config::credential;
use crate::config::repository::Place;
use crate::config::words::{KIT_TITLE, KIT_WORDS};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::Initialized;
use crate::units;

/// Words in a line of the recovery words.
const WORDS_PER_LINE: usize = 6;

/// Makes the repository.
///
/// # Errors
/// Exit code 23 if the store is unsafe or not empty, 24 if it cannot be used.
pub fn run(args: &InitArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let secret = credential::find_new(&context.global.credential(), context.around, args.weak)?;
    let kit = match &args.kit {
        Some(path) => {
            Some(PrivateFile::create(absolute(path, context.around)?, "the recovery kit")?)
        }
        None => None,
    };
    let (store, place, _) = store(context, &context.global.repository(), true)?;
    let options = CreateOptions {
        suite: match args.suite {
            Suite::XWing => engine::crypt::seal::Suite::XWing,
            Suite::X25519 => engine::crypt::seal::Suite::X25519,
        },
        cost: KdfCost {
            memory_kib: args.kdf_memory.unwrap_or(KdfCost::DEFAULT.memory_kib),
            ..KdfCost::DEFAULT
        },
        probe: !args.no_probe,
        allow_unsafe_store: args.allow_unsafe_store,
    };
    let clock = context.around.clock.clone();
    let monitor = progress(context);
    let made = create(&store, clock, secret.expose().as_bytes(), &options, &monitor);
    drop(monitor);
    drop(secret);
    let made = made.map_err(|error| refusal(&error))?;
    if let Some(report) = made.probe.as_ref().filter(|report| !report.is_safe()) {
        warn(report, context);
    }
    store.keep_reserve();
    let kept = kit.map(|file| file.keep(kit_text(&made, &place, context).as_bytes())).transpose();
    let kit = kept.as_ref().ok().and_then(|path| Some(path.as_ref()?.display().to_string()));
    show(&made, kit.as_deref(), &store, context);
    // The repository is there in any case, so only how it is opened can be put right.
    let way_out = "the passphrase opens the repository; make a second one for emergencies: mainstay key \
                   add --role admin --label 'on paper'";
    if !context.ui.is_heard() && (kit.is_none() || !context.ui.is_quiet()) {
        let lost = "the recovery words could not be shown, and nobody has them";
        return match kit {
            None => Err(Fault::local(lost).hint(way_out)),
            Some(_) => Ok(ExitCode::Ok),
        };
    }
    match kept {
        Ok(_) => Ok(ExitCode::Ok),
        Err(fault) => Err(fault.hint(
            "the repository was made: write down the words above, they are shown this once and never again",
        )),
    }
}

/// Shows what was made, and the words if they stand nowhere else.
fn show(made: &Created, kit: Option<&str>, store: &Store, context: &Context<'_>) {
    if context.ui.is_json() {
        let shows_words = !context.ui.is_quiet() || kit.is_none();
        context.ui.message(&Message::Initialized(Initialized {
            id: made.repo.config().repository.to_string(),
            repository: store.describe().to_owned(),
            fingerprint: made.repo.fingerprint(),
            recovery_words: shows_words.then(|| made.recovery_words.to_string()),
            kit: kit.map(str::to_owned),
        }));
    } else if !context.ui.is_quiet() {
        tell(made, kit, context);
    } else if kit.is_none() {
        // Shown nowhere else and never again: no wish for silence is meant to lose them.
        numbered(&made.recovery_words).iter().for_each(|line| context.ui.result(line));
    }
}

fn refusal(error: &RepoError) -> Fault {
    match error {
        RepoError::Occupied { place, found } => {
            Fault::refused(format!("{place} is not empty: {found}"))
                .hint("choose an empty place; a repository that exists is used without `init`")
        }
        RepoError::UnsafeStore { .. } => trouble::repo(error).hint(
            "`mainstay probe` shows all checks; --allow-unsafe-store uses the store all the same, \
             and backups may be lost",
        ),
        other => trouble::opening(other),
    }
}

fn warn(report: &ProbeReport, context: &Context<'_>) {
    if let Some(failed) = report.first_failed() {
        context.ui.note(&format!(
            "warning: this store is unsafe: it fails check {} ({}): {}",
            failed.number, failed.name, failed.detail
        ));
    }
}

fn tell(made: &Created, kit: Option<&str>, context: &Context<'_>) {
    let Created { repo, recovery_words, .. } = made;
    let ui = context.ui;
    ui.result(&format!("created repository {}", repo.config().repository));
    ui.result(&format!("  at           {}", repo.store().describe()));
    ui.result(&format!("  fingerprint  {}", repo.fingerprint()));
    ui.result("");
    ui.result("recovery words:");
    for line in numbered(recovery_words).iter() {
        ui.result(&format!("  {line}"));
    }
    ui.result("");
    ui.result("They open everything without the passphrase. They are shown this once and never");
    ui.result("again: write them on paper or print them, and keep them offline, away from this");
    ui.result("machine. Without passphrase and words the backups cannot be read by anybody.");
    if let Some(path) = kit {
        ui.result("");
        ui.result(&format!("The recovery kit is in {path}: print it, then delete the file."));
    }
}

/// The words in lines, each word with its number.
fn numbered(words: &str) -> Zeroizing<Vec<String>> {
    let numbered = Zeroizing::new(
        (1..)
            .zip(words.split_whitespace())
            .map(|(n, word)| format!("{n:>2} {word:<9}"))
            .collect::<Vec<_>>(),
    );
    let lines = numbered.chunks(WORDS_PER_LINE);
    Zeroizing::new(lines.map(|line| line.join(" ").trim_end().to_owned()).collect())
}

fn kit_text(made: &Created, place: &Place, context: &Context<'_>) -> Zeroizing<String> {
    let repo: &Repo = &made.repo;
    let config = repo.config();
    let made_at = units::local_time(config.created, &context.around.time_zone);
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let location = repo.store().describe();
    for line in [
        KIT_TITLE,
        "",
        "Whoever holds this page can read every backup in the repository.",
        "Print it, keep it offline, delete the file.",
        "",
        &format!("repository   {location}"),
        &format!("endpoint     {}", place.endpoint.as_deref().unwrap_or("that of the provider")),
        &format!("region       {}", place.region.as_deref().unwrap_or("not set")),
        &format!("id           {}", config.repository),
        &format!("fingerprint  {}", repo.fingerprint()),
        &format!("created      {made_at} on {}", context.around.host),
        "",
        KIT_WORDS,
        "",
    ] {
        text.push_str(line);
        text.push('\n');
    }
    for line in numbered(&made.recovery_words).iter() {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str(
        "\nHow to restore:\n\n\
         1. Install mainstay on any machine that can reach the repository.\n\
         2. Say where it is:\n\n",
    );
    for line in exports(location, place) {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str(
        "\n3. Take this file, or a new one with all the words, as KIT (chmod 600 KIT). The words\n   \
            may stand on several lines, with or without numbers.\n\
         4. mainstay --password-file KIT snapshots\n\
         5. mainstay --password-file KIT restore latest --target DIR\n\
         6. Compare the fingerprint: mainstay --password-file KIT key test\n",
    );
    text
}

/// The lines that bring a shell to the repository; secrets of the store are to be filled in.
fn exports(location: &str, place: &Place) -> Vec<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut lines = vec![format!("export MAINSTAY_REPOSITORY={}", quoted(location))];
    if let Some(endpoint) = &place.endpoint {
        lines.push(format!("export AWS_ENDPOINT_URL={}", quoted(endpoint)));
    }
    if let Some(region) = &place.region {
        lines.push(format!("export AWS_REGION={}", quoted(region)));
    }
    let keys: &[&str] = match location.split_once("://").map(|(scheme, _)| scheme) {
        Some("s3") => &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        Some("gs") => &["GOOGLE_APPLICATION_CREDENTIALS"],
        Some("az") => &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"],
        _ => &[],
    };
    lines
        .extend(keys.iter().map(|key| format!("export {key}=…  # from the operator of the store")));
    lines
}
