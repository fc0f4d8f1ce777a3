//! The world behind a lock, and who is told when it moves: what the API server and the clock of the world share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::world::{Around, World};

/// What the server shares with the clock of the world.
pub(crate) struct Shared {
    /// The world.
    pub(crate) world: Mutex<World>,
    /// Notified after a write of a client.
    pub(crate) wrote: Notify,
    /// The store's revision: watches wait for it to move.
    pub(crate) revision: watch::Sender<u64>,
    /// What stands around the world.
    pub(crate) around: watch::Sender<Around>,
}

impl Shared {
    /// Shares a world.
    pub(crate) fn new(world: World) -> Self {
        let revision = watch::Sender::new(world.store.revision());
        let around = watch::Sender::new(world.around.clone());
        Self { world: Mutex::new(world), wrote: Notify::new(), revision, around }
    }

    /// The world, locked. A panic elsewhere does not take it from the others.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
