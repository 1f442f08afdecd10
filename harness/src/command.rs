//! Running other programs, with errors that show what was run and what it said.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Runs `command` to its end and gives what it wrote to standard output.
///
/// # Errors
/// When the program cannot be started or does not succeed; the error holds the end of its output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("{}: {}\n{}", shown(command), output.status, last_lines(&said(&output), 30));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` with `input` as its standard input and gives what it wrote to both outputs.
///
/// # Errors
/// As [`run`].
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| cannot_run(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}: {}\n{}", shown(command), output.status, last_lines(&said(&output), 30));
    }
    Ok(said(&output))
}

/// Runs `command` and says whether it succeeded.
///
/// # Errors
/// When the program cannot be started.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(output(command)?.status.success())
}

/// Runs `command` with its output going where ours goes.
///
/// # Errors
/// When the program cannot be started or does not succeed.
pub fn run_visibly(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{}: {status}", shown(command));
    }
    Ok(())
}

/// The last `count` lines of `text`.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("\n")
}

fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| cannot_run(command))
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", shown(command))
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Sends the process SIGINT, by the shell's own kill: a minimal Debian has no program of that name.
///
/// # Errors
/// When there is no such process, or it is somebody else's.
pub fn interrupt(pid: &str) -> Result<()> {
    run(Command::new("sh").args(["-c", "kill -INT \"$0\"", pid])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_keeps_the_end() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 5), "a");
        assert_eq!(last_lines("", 5), "");
    }

    #[test]
    fn a_failure_shows_the_command_and_its_words() {
        let error = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("out") && error.contains("err"), "{error}");
    }

    #[test]
    fn input_is_read_and_both_outputs_are_given() {
        assert_eq!(feed(Command::new("sh").args(["-c", "cat; echo err >&2"]), "in\n").unwrap(), "in\nerr\n");
        assert!(feed(Command::new("sh").args(["-c", "cat; exit 1"]), "why").unwrap_err().to_string().contains("why"));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }
}
