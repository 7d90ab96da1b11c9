//! The output of a command as the content of a file.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use crate::base::path::escape;
use crate::disk::child::child;
use crate::disk::error::DiskError;

/// A running command whose output is read. Its error output goes where this program's goes.
///
/// A dump that ends early looks like a complete one, so [`CommandSource::finish`] must be asked
/// before the content counts. Dropping it ends the command.
#[derive(Debug)]
pub struct CommandSource {
    child: Child,
    stdout: Option<ChildStdout>,
    name: String,
    is_reaped: bool,
}

impl CommandSource {
    /// Starts `argv`, a program and its arguments, without a shell and without input. It gets
    /// `variables` without the secrets among them.
    ///
    /// # Errors
    /// [`DiskError::CommandFailed`] if there is no program, [`DiskError::Io`] if it cannot start.
    pub fn spawn(argv: &[OsString], variables: &[(OsString, OsString)]) -> Result<Self, DiskError> {
        let Some((program, arguments)) = argv.split_first() else {
            let outcome = "has no name".to_owned();
            return Err(DiskError::CommandFailed { command: String::new(), outcome });
        };
        let mut command = child(program, variables.iter().cloned());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| DiskError::io_at("starting", program.as_bytes(), error))?;
        let stdout = child.stdout.take();
        Ok(Self { child, stdout, name: escape(program.as_bytes()), is_reaped: false })
    }

    /// Waits for the end. Call it once reading has come to the end of the output: a command that
    /// still writes gets a broken pipe.
    ///
    /// # Errors
    /// [`DiskError::CommandFailed`] unless the command says that it succeeded.
    pub fn finish(mut self) -> Result<(), DiskError> {
        drop(self.stdout.take());
        let status = self
            .child
            .wait()
            .map_err(|error| DiskError::io_at("waiting for", self.name.as_bytes(), error))?;
        self.is_reaped = true;
        if status.success() {
            return Ok(());
        }
        Err(DiskError::CommandFailed { command: self.name.clone(), outcome: describe(status) })
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    }
}

impl Read for CommandSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stdout {
            Some(stdout) => stdout.read(buffer),
            None => Ok(0),
        }
    }
}

impl Drop for CommandSource {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandSource {
        let variables: Vec<_> = std::env::vars_os().collect();
        CommandSource::spawn(&["sh".into(), "-c".into(), script.into()], &variables)
            .expect("because every test machine has sh")
    }

    #[test]
    fn output_arrives_whole_and_failure_is_noticed_after_it() {
        let mut source = shell("printf 'some\\0thing'; exit 3");
        let mut output = Vec::new();
        source.read_to_end(&mut output).expect("because a pipe can be read");
        assert_eq!(output, b"some\0thing");
        let error = source.finish().expect_err("because the script says 3");
        assert!(error.to_string().contains("exit status 3"), "{error}");
    }

    #[test]
    fn success_is_success_and_a_signal_is_not() {
        let mut source = shell("echo x");
        source.read_to_end(&mut Vec::new()).expect("because a pipe can be read");
        assert!(source.finish().is_ok());
        let error = shell("kill -TERM $$").finish().expect_err("because it ended itself");
        assert!(error.to_string().contains("signal 15"), "{error}");
        assert!(CommandSource::spawn(&["/no/such/program".into()], &[]).is_err());
        assert!(CommandSource::spawn(&[], &[]).is_err());
    }

    #[test]
    fn dropping_ends_the_command_at_once() {
        let source = shell("exec sleep 1000");
        let pid = source.child.id();
        drop(source);
        assert!(!std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists());
    }
}
