//! A scenario file: what has happened before the world starts, and what will happen in it.

use jiff::SignedDuration;
use serde::Deserialize;

use crate::world::Act;

/// A scenario file. Nodes and tenants are numbers from 1; beyond the last they count on from the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    pub(super) summary: String,
    pub(super) recovered: Option<Recovered>,
    pub(super) stolen: Option<Stolen>,
    /// The proxies in front of the cluster, where it has any.
    pub(super) edges: Option<Edges>,
    /// The cluster pulls its images from a registry of its own.
    #[serde(default)]
    pub(super) registry: bool,
    #[serde(default)]
    pub(super) full: Vec<Full>,
    /// What has happened; `when` is how long ago.
    #[serde(default)]
    pub(super) history: Vec<Moment>,
    /// What will happen; `when` is after how long.
    #[serde(default)]
    pub(super) timeline: Vec<Moment>,
}

/// A node that died and came back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recovered {
    pub(super) node: usize,
    pub(super) died: Span,
    pub(super) back: Span,
    /// The part of its pods that went where their tenant already had one.
    pub(super) doubled: f64,
}

/// A host that another tenant claims as well.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stolen {
    /// Whose host.
    pub(super) tenant: usize,
    /// Who claims it.
    pub(super) by: usize,
    /// How long ago the Ingress of the first was made again.
    pub(super) when: Span,
}

/// The proxies in front of the cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edges {
    /// How long ago the certificates were issued that they serve.
    pub(super) issued: Span,
    /// Hosts whose certificates are not renewed.
    #[serde(default)]
    pub(super) expiring: Vec<Expiring>,
}

/// A tenant whose certificate is not renewed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expiring {
    pub(super) tenant: usize,
    /// How long it is still valid.
    pub(super) left: Span,
    /// How long ago the last attempt to renew it failed.
    pub(super) failed: Span,
}

/// A node whose memory is used to this part.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Full {
    pub(super) node: usize,
    pub(super) percent: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    pub(super) when: Span,
    pub(super) act: Act,
}

/// A time span as `90s`, `12m`, `1h 30m`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) SignedDuration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span = humantime::parse_duration(&text)
            .map_err(|error| format!("'{text}' is not a time span: {error}"))?;
        SignedDuration::try_from(span).map(Self).map_err(|error| format!("'{text}' is too long: {error}"))
    }
}

/// The name of that number: beyond the last they count on from the first.
pub(super) fn numbered(names: &[String], number: usize) -> String {
    names.get(number.saturating_sub(1) % names.len().max(1)).cloned().unwrap_or_default()
}
