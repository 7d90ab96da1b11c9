//! Those who are told: one module for each kind of channel.

/// One HTTP request, with all its limits.
mod http;
/// Standard Webhooks.
mod webhook;
/// A program.
mod command;
/// Mail.
mod mail;
/// Dead man's switches.
pub mod ping;
/// Ticket systems.
mod psa;

use std::collections::BTreeMap;
use std::ffi::OsString;

use agent::config::alert::{Alert, ChannelKind};

use crate::deliver::Receiver;
use crate::record::Severity;
use crate::secret::SecretError;
use crate::state::Route;

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Its secret cannot be had.
    #[error("the channel {channel:?} has no secret to use")]
    Secret {
        /// Which.
        channel: String,
        /// Why.
        source: SecretError,
    },
    /// A setting makes no sense.
    #[error("the channel {channel:?}: {why}")]
    Setting {
        /// Which.
        channel: String,
        /// What is wrong, without a secret.
        why: String,
    },
}

fn setting(alert: &Alert, why: impl Into<String>) -> ChannelError {
    ChannelError::Setting { channel: alert.name().to_owned(), why: why.into() }
}

/// Whom events go to by themselves; those that are only a fallback get what others do not take.
#[must_use]
pub fn routes(alerts: &[Alert]) -> Vec<Route> {
    let takes = |alert: &&Alert| alert.channel != ChannelKind::Ping && !alert.only_as_fallback;
    let route = |alert: &Alert| Route {
        channel: alert.name().to_owned(),
        least: Severity::of_number(i64::from(alert.least_severity())),
    };
    alerts.iter().filter(takes).map(route).collect()
}

/// Makes the receivers of all channels that take events; `variables` are those of commands. One that
/// cannot be used keeps no other from what is due.
pub fn receivers(
    alerts: &[Alert],
    variables: &[(OsString, OsString)],
) -> (Vec<Box<dyn Receiver>>, Vec<ChannelError>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for alert in alerts {
        match receiver(alert, variables) {
            Ok(found) => all.extend(found),
            Err(error) => errors.push(error),
        }
    }
    (all, errors)
}

fn receiver(
    alert: &Alert,
    variables: &[(OsString, OsString)],
) -> Result<Option<Box<dyn Receiver>>, ChannelError> {
    Ok(Some(match alert.channel {
        ChannelKind::Webhook => Box::new(webhook::Webhook::new(alert)?),
        ChannelKind::Command => Box::new(command::CommandChannel::new(alert, variables)?),
        ChannelKind::Mail => Box::new(mail::Mail::new(alert)?),
        ChannelKind::Ping => return Ok(None),
        ChannelKind::Connectwise | ChannelKind::Autotask | ChannelKind::Halopsa => {
            Box::new(psa::Psa::new(alert)?)
        }
    }))
}

/// The numbers of a ticket system that a channel needs: those that the configuration has, and those that
/// its names stand for, looked up there.
///
/// # Errors
/// [`ChannelError`] if the channel cannot be used, or a name is not there.
pub fn look_up(alert: &Alert) -> Result<BTreeMap<String, i64>, ChannelError> {
    match alert.channel.is_ticket_system() {
        true => psa::look_up(alert),
        false => Ok(BTreeMap::new()),
    }
}
