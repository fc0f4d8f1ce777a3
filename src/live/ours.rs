//! One look at what wheelhouse itself keeps in the cluster, for a command that is about something else.
//!
//! Entered by the command line's `database`, which follows no cluster and needs none.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    OURS,
    convert::{Interner, Journals, Kind, Leases},
    list,
    probe::{self, skew},
    read::{self, Fault, encoded},
};
use crate::{
    cluster::{Api, Freshness, Observation},
    wire::Wire,
};

/// The journals and leases in that namespace, and how far this machine's clock is from the API server's.
///
/// # Errors
/// Why they cannot be read within that time, in one sentence.
pub async fn ours(wire: &Wire, namespace: &str, within: Duration) -> Result<Vec<Observation>, String> {
    let looked = tokio::time::timeout(within, look(wire, namespace, within)).await;
    looked.unwrap_or_else(|_| Err(Fault::silent())).map_err(|fault| fault.why)
}

async fn look(wire: &Wire, namespace: &str, within: Duration) -> Result<Vec<Observation>, Fault> {
    let begun = Instant::now();
    let (headers, _) = read::get(wire, "/version", within).await?;
    let now = Timestamp::now();
    let api = Api {
        skew_millis: skew(&headers, now, begun.elapsed()).unwrap_or(0),
        freshness: Freshness::Live { since: now },
        ..probe::unseen(wire)
    };
    let (leases, journals) =
        tokio::try_join!(whole::<Leases>(wire, namespace), whole::<Journals>(wire, namespace))?;
    let now = Timestamp::now();
    Ok(vec![
        Observation::Api(Box::new(api)),
        Observation::Lease(leases.seen(now)),
        Observation::Journal(journals.seen(now)),
    ])
}

async fn whole<K: Kind>(wire: &Wire, namespace: &str) -> Result<list::Read<K>, Fault> {
    let path = format!("{}?labelSelector={}", K::RESOURCE.path(Some(namespace)), encoded(OURS));
    list::whole::<K>(wire, &path, &mut Interner::default()).await
}
