//! A command in a container. What it does there nobody can foresee or take back: it counts as a change, is refused in
//! read-only mode, and is written down on this machine before it is started.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Access,
    local::{self, Audited},
};
use crate::wire::exec::{Exec, Wanted};

/// What the audit log says of it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Event<'a> {
    Exec {
        namespace: &'a str,
        pod: &'a str,
        container: &'a str,
        command: &'a str,
    },
    /// It was not started after all.
    ExecFailed {
        namespace: &'a str,
        pod: &'a str,
        container: &'a str,
        why: &'a str,
    },
}

/// Starts a command in a container.
///
/// # Errors
/// One sentence: the session is read-only, the audit log cannot be written, or the command cannot be started.
pub async fn exec(access: &Access, wanted: Wanted) -> Result<Exec, String> {
    if access.read_only {
        return Err("this session is read-only: no command is run in a container".into());
    }
    let command = match wanted.command.first() {
        // What stands in the arguments may be secret.
        Some(program) => program.clone(),
        None => "a shell".to_owned(),
    };
    let (namespace, pod, container) =
        (wanted.namespace.clone(), wanted.pod.clone(), wanted.container.clone());
    let (namespace, pod, container) = (&*namespace, &*pod, &*container);
    write_down(access, &Event::Exec { namespace, pod, container, command: &command })?;
    let opened = Exec::open(&access.wire, wanted).await;
    if let Err(why) = &opened {
        write_down(access, &Event::ExecFailed { namespace, pod, container, why })?;
    }
    opened
}

fn write_down(access: &Access, event: &Event<'_>) -> Result<(), String> {
    let line = Audited {
        time: Timestamp::now(),
        operator: &access.who.operator,
        user: access.who.user.as_deref(),
        context: access.wire.context(),
        server: access.wire.server(),
        run: None,
        campaign: None,
        event,
        kubectl: None,
        database: None,
        reason: None,
    };
    local::audit(&access.state_dir, &line).map_err(|error| {
        format!(
            "the audit file {} cannot be written: {error}",
            local::audit_file(&access.state_dir).display()
        )
    })
}
