//! Planning to take a run back.
use super::*;
pub(super) fn plan(_: &Snapshot, _: &Intent, _: &str, _: &[(TenantName, Change)]) -> Plan {
    unreachable!()
}
