//! Tickets, and the channels that tell people of them.
//!
//! What is wrong comes in as findings, each with a stable key. Here they become tickets: opened once,
//! appended, escalated, resolved by the first look that does not find them any more. Each step is an
//! event, written in the same transaction as the ticket, for every channel that wants it; a queue
//! delivers them in the order of their ticket until the receiver has said that it has them. So nothing
//! is lost while a receiver is down or this process is killed, and nothing is opened twice.

/// Floor 1: what is told.
pub mod record;

/// Floor 2: secrets of channels.
pub mod secret;

/// Floor 3: signatures of webhooks.
pub mod sign;

/// Floor 4: when it is tried again.
pub mod retry;

/// Floor 5: what is remembered.
pub mod state;

/// Floor 6: the queue, emptied.
pub mod deliver;

/// Floor 7: those who are told.
pub mod channel;
