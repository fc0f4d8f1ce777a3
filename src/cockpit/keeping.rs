//! What the cockpit keeps of what it sees: a recording of the last hours, and what happened in them for the timeline.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::contexts::Look;
use crate::{
    app::Msg,
    cluster::{Severity, Snapshot},
    config::Config,
    history::changes,
    record::{Head, Keeper, Recording, folder, kept},
    wire::Wire,
};

/// A snapshot is kept this often.
const EVERY: Duration = Duration::from_secs(10);
/// Before anything is known, it is looked this often.
const SOON: Duration = Duration::from_secs(1);
/// What is not written yet is waited for so long when the cockpit is left.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// The task that keeps.
pub(super) struct Keeping {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What a recording of this cluster says of itself.
pub fn head(config: &Config, wire: &Wire) -> Head {
    Head {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        context: wire.context().to_owned(),
        server: wire.server().to_owned(),
        operator: super::operator(config),
    }
}

impl Keeping {
    /// Begins to keep, unless the configuration says not to; tells the app what happened in any case.
    pub(super) fn begin(
        look: &Look,
        state_dir: &Path,
        seen: watch::Receiver<Arc<Snapshot>>,
        tell: mpsc::Sender<Msg>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let wire = &look.wire;
        let place = folder(state_dir, wire.context(), wire.server());
        let kept = &look.config.recording;
        // Nobody comes back to a cluster that ends with this program.
        let keeper = (kept.keep && !look.setup.passing).then(|| {
            let (place, head) = (place.clone(), head(&look.config, wire));
            let back = SignedDuration::try_from(kept.back.0).unwrap_or(SignedDuration::MAX);
            let most = u64::from(kept.megabytes) * 1_000_000;
            move || Keeper::new(&place, head, back, most)
        });
        let task = tokio::spawn(keep(keeper, place, seen, tell, stopped));
        Self { stop, task }
    }

    /// Writes what is not written yet.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(CLOSES_WITHIN, self.task).await;
    }
}

async fn keep(
    keeper: Option<impl FnOnce() -> Result<Option<Keeper>, String> + Send + 'static>,
    place: PathBuf,
    mut seen: watch::Receiver<Arc<Snapshot>>,
    tell: mpsc::Sender<Msg>,
    mut stopped: oneshot::Receiver<()>,
) {
    // What was kept before, by this cockpit or another, is read beside the first frame.
    let begun = tokio::task::spawn_blocking(move || {
        let keeper = keeper.map_or(Ok(None), |make| make());
        (keeper, Recording::open(&kept(&place)).ok())
    });
    let Ok((keeper, before)) = begun.await else { return };
    let mut keeper = match keeper {
        Ok(keeper) => keeper,
        Err(why) => {
            let _ = tell.send(Msg::Notice(Severity::Warning, format!("nothing is kept: {why}"))).await;
            None
        }
    };
    if let Some(mut before) = before {
        if !before.moments().is_empty() {
            let _ = tell.send(Msg::KeptSince(before.ends().0)).await;
        }
        let _ = tell.send(Msg::Happened(before.events().to_vec())).await;
        // What is damaged in it is told where it is replayed.
        let used = tokio::task::spawn_blocking(move || before.uses()).await;
        if let Ok(Ok(used)) = used {
            let _ = tell.send(Msg::Used(used)).await;
        }
    }
    let mut last = seen.borrow_and_update().clone();
    let mut leaving = false;
    loop {
        let next = seen.borrow_and_update().clone();
        if next.revision != last.revision || !last.is_ready() {
            let (was, is, taken) = (last.clone(), next.clone(), keeper.take());
            let done = tokio::task::spawn_blocking(move || {
                let happened = changes(&was, &is);
                let (keeper, trouble) = match taken {
                    Some(mut keeper) => match keeper.take(&is) {
                        Ok(()) => (Some(keeper), None),
                        Err(why) => (None, Some(why)),
                    },
                    None => (None, None),
                };
                (happened, keeper, trouble)
            });
            let Ok((happened, kept, trouble)) = done.await else { return };
            keeper = kept;
            if let Some(why) = trouble {
                let _ = tell.send(Msg::Notice(Severity::Warning, why)).await;
            }
            if !happened.is_empty() && tell.send(Msg::Happened(happened)).await.is_err() {
                break;
            }
            last = next;
        }
        if leaving {
            break;
        }
        let pause = if last.is_ready() { EVERY } else { SOON };
        tokio::select! {
            // What is seen last is kept as well.
            _ = &mut stopped => leaving = true,
            () = tokio::time::sleep(pause) => {}
        }
    }
    let closed = tokio::task::spawn_blocking(|| keeper.map_or(Ok(()), Keeper::close)).await;
    if let Ok(Err(why)) = closed {
        tracing::warn!(why, "the last minute is not kept");
    }
}
