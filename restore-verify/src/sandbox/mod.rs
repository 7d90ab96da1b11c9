//! Where probes run: a process of their own, from which the rest of this machine cannot be reached.
//!
//! What a probe looks at is content from a backup, written by whoever could write it. A parser that is
//! led astray must find nothing: no keys, no secrets in the environment, no open descriptors, no
//! network but its own loopback, no file but what was restored, no more memory or time than the drill
//! gives. So the program starts itself again: the *outer* process makes namespaces, the *inner* one
//! gives up what it has left and then opens the first foreign byte.
//!
//! Kernels differ in what they allow, containers more so. What could not be had is told in a
//! [`Confinement`](crate::evidence::confinement::Confinement), which stands in the result and in the evidence: a drill is never silent about
//! walls that were not there.

/// What is asked of the child, and what it answers.
pub mod job;
/// Processes below a process.
pub mod family;
/// Namespaces: no network, no other processes.
pub mod apart;
/// Files, capabilities, limits.
pub mod walls;
/// The child.
pub mod child;
/// Starting the child, and ending it.
pub mod spawn;
/// Looks at files.
pub mod prober;
/// The user's own test.
pub mod command;
