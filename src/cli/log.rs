//! The log: a file in the state folder, since a line on the terminal would break the screen.

use tracing_appender::{
    non_blocking::{NonBlockingBuilder, WorkerGuard},
    rolling::{Builder, Rotation},
};
use tracing_subscriber::EnvFilter;

use crate::config;

/// Warnings, errors, and the ends of outages; not the client library's own, which print whole replies, and with them Secrets.
const DEFAULT: &str = "warn,wheelhouse=info,kube_client=off,kube=off";

/// Starts logging what `WHEELHOUSE_LOG` asks for (such as `wheelhouse=debug`), to standard error or to the file. Keep the
/// guard: dropping it writes what is left. Without a place to log to there is no log.
pub(super) fn start(to_stderr: bool) -> Option<WorkerGuard> {
    let wanted = std::env::var("WHEELHOUSE_LOG").unwrap_or_else(|_| DEFAULT.into());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let (writer, guard) = if to_stderr {
        lines().finish(std::io::stderr())
    } else {
        let folder = config::state_dir()?;
        std::fs::create_dir_all(&folder).ok()?;
        let file = Builder::new()
            .rotation(Rotation::DAILY)
            .filename_prefix("wheelhouse")
            .filename_suffix("log")
            .max_log_files(7)
            .build(folder)
            .ok()?;
        lines().finish(file)
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer);
    // A second subscriber in one process can only be a test's; the first stays.
    let _ = log.try_init();
    Some(guard)
}

/// Lines wait in a place that is reserved for them: that for the library's own 128,000 takes 4 MB.
fn lines() -> NonBlockingBuilder {
    NonBlockingBuilder::default().buffered_lines_limit(1_000)
}
