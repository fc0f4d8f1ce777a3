//! What takes the terminal out of the cockpit's hands for a while: another cluster, a login, a shell.

use std::{io, sync::PoisonError};

use super::{Performer, end, stop, taken};
use crate::{
    app::{Destination, Msg},
    cluster::{Key, Severity},
    cockpit::{
        hand_over::{self, Left},
        screen,
    },
    run,
    ui::plain,
    wire::exec::Wanted,
};

impl Performer {
    /// Finds out whether another cluster can be looked at.
    pub(super) fn bind(&mut self, to: Destination) {
        let (look, next, tell) = (self.look.clone(), self.next.clone(), self.tell.clone());
        let state_dir = self.state_dir.clone();
        tokio::spawn(async move {
            let found = look.go(&to, &state_dir).await;
            let result = match found {
                Ok(found) => {
                    let asks = found.wire.asks().await;
                    *next.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                    Ok(asks)
                }
                Err(why) => Err(why),
            };
            let _ = tell.send(Msg::Bound(result)).await;
        });
    }

    /// Leaves the screen to a credential plug-in: that of the present cluster, or of the next one.
    pub(super) fn log_in(&mut self, there: bool) {
        let (keys, tell, next) = (self.keys.take(), self.tell.clone(), self.next.clone());
        let wire = if there {
            next.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|next| next.wire.clone())
        } else {
            Some(self.look.wire.clone())
        };
        let Some(wire) = wire else { return };
        screen::leave();
        self.shell = Some(tokio::spawn(async move {
            if let Some(keys) = keys {
                end(keys).await;
            }
            let result = wire.log_in().await;
            hand_over::forget_typed();
            let good = result.is_ok();
            let (severity, text) = match result {
                Ok(true) => (Severity::Notice, "logged in".to_owned()),
                Ok(false) => {
                    (Severity::Warning, "this context has no credential plug-in that could ask".to_owned())
                }
                Err(why) => (Severity::Warning, why),
            };
            let _ = tell.send(Msg::Returned(severity, text)).await;
            match (there, good) {
                (true, true) => _ = tell.send(Msg::Bound(Ok(false))).await,
                (true, false) => _ = taken(&next),
                (false, _) => {}
            }
        }));
    }

    pub(super) fn open_shell(&mut self, pod: &Key, container: &str) {
        let wanted = Wanted {
            namespace: pod.namespace.to_string(),
            pod: pod.name.to_string(),
            container: container.to_owned(),
            command: Vec::new(),
            stdin: true,
            tty: true,
        };
        let (access, opened, tell) = (self.access(), self.opened.clone(), self.tell.clone());
        let task = tokio::spawn(async move {
            let result = run::exec(&access, wanted).await.map(|exec| {
                *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(exec);
            });
            let _ = tell.send(Msg::ShellOpened(result)).await;
        });
        stop(self.shell.replace(task).map(|task| task.abort_handle()));
    }

    /// Leaves the screen to the shell that is open, and tells how that ended.
    pub(super) fn hand_over(&mut self) {
        let Some(exec) = taken(&self.opened) else { return };
        let (keys, tell) = (self.keys.take(), self.tell.clone());
        let (place, context) = (exec.place(), self.look.wire.context().to_owned());
        screen::leave();
        self.shell = Some(tokio::spawn(async move {
            // From here on what is typed is for the shell.
            if let Some(keys) = keys {
                end(keys).await;
            }
            // Two short lines: one is broken in a word by narrow terminals.
            let lines = format!(
                "{}\r\nexit leads back, and so do Enter ~ .\r\n",
                plain(&format!("wheelhouse: {place} in {context}"))
            );
            let _ = io::Write::write_all(&mut io::stdout(), lines.as_bytes());
            let left = hand_over::interactive(exec).await;
            hand_over::forget_typed();
            let (severity, text) = match left {
                Left::Ended(0) => (Severity::Notice, format!("the shell in {place} has ended")),
                Left::Ended(code) => {
                    let text = format!("the shell in {place} has ended with exit code {code}");
                    match hand_over::killed(code) {
                        Some(why) => (Severity::Warning, format!("{text}: {why}")),
                        None => (Severity::Notice, text),
                    }
                }
                Left::Escaped => (Severity::Notice, format!("left {place}: what ran there may still run")),
                Left::Failed(why) => (Severity::Warning, why),
            };
            let _ = tell.send(Msg::Returned(severity, text)).await;
        }));
    }
}
