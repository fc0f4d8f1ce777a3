//! Planning a change of replicas.
use super::*;
pub(super) fn plan(_: &Snapshot, _: &Intent, _: &[Target]) -> Plan {
    unreachable!()
}
