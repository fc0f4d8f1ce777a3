//! wheelhouse: a terminal cockpit for the on-call engineers of a multi-tenant SaaS on Kubernetes.
//!
//! Every client organisation (a *tenant*) runs its own pods of a PHP application. The cockpit shows who is down and
//! where the pods sit, and lets the operator act: every act is a plan first, that is previewed, approved, run, verified
//! and can be taken back. It is used over SSH, at three in the morning, by somebody who must not make it worse.
//!
//! # The rooms
//!
//! In reading order; each is entered by its door (`crate::plan::Plan`, never `crate::plan::step::..`).
//!
//! | room | what it is | may import |
//! |---|---|---|
//! | [`cluster`] | the cluster as an immutable value, and what is wrong with it. Pure. | |
//! | [`plan`] | what an operator wants becomes steps; the model of the scheduler. Pure. | `cluster` |
//! | [`wire`] | connections to what we talk to, without meaning | |
//! | [`run`] | carries out an approved plan: journal, leases, and the only code that writes | `cluster` `plan` `wire` |
//! | [`history`] | what has changed and when: events, timeline, the report of an incident. Pure. | `cluster` `plan` `run`'s values |
//! | [`record`] | recordings: snapshots in a file, and read again at any moment of it | `cluster` `history` |
//! | [`live`] | follows the cluster and its database, and publishes snapshots | `cluster` `wire` |
//! | [`ui`] | draws; views ask, they never act | `cluster` `plan` `run`'s values, `history` |
//! | [`app`] | all state of the cockpit, and the one event loop | `cluster` `plan` `run` `history` `ui` |
//! | [`config`] | the user's configuration | `cluster`, `plan` |
//! | [`cockpit`] | connects the rooms: performs what the app asks for | all but `demo` and `cli` |
//! | [`cli`] | the command line: every screen and act as a command | all |
//! | [`demo`] | the embedded cluster: a real Kubernetes API and its database, on loopback; a crate of its own | nothing of ours |
//!
//! `tests/suite/rooms.rs` holds this table as a test, and names the reason of each rule when it is broken.
//! Within a room the lower files know nothing of the higher: the same test finds circles, and lists those that are left.
//!
//! # The flow
//!
//! ```text
//!   Kubernetes ──watch──► live ──Observation──► Snapshot ──watch channel──┬──► app ──► ui ──► terminal
//!        ▲                                        (one value)             │     │
//!        │                                                                │     └─ Intent ─► plan ─► review ─► Approved
//!        └────────── perform ◄── run: decide, journal, lease ◄────────────┴──────────────────────────────────────┘
//! ```
//!
//! One direction: observe, snapshot, plan, run, observe. Nothing flows back except through the cluster itself. The
//! command line takes the same way from `Intent` to result, without a screen.
//!
//! # The rules
//!
//! - **Thinking is pure.** `cluster`, `plan`, `run`'s decisions and `app::update` know no IO and no clock; `now` is an
//!   argument. What could not be observed is an `Option` or a [`cluster::Freshness`], never a zero.
//! - **A change names both ends** ([`plan::Change`]), so that it can be shown, skipped when it stands, settled after a
//!   crash, and undone by swapping. **Undo is a plan** like any other.
//! - **Only an approved plan can be run**: [`plan::Approved`] has no constructor but [`plan::Plan::approve`].
//! - **Write it down first.** The record of a step is stored before its request is sent. The journal is a ConfigMap in
//!   the cluster, so that any colleague's cockpit finds, explains and finishes a run that was cut off.
//! - **One file writes** (`run/perform.rs`), and enforces read-only mode.
//! - **The demo knows nothing of us**, so that a mistake in our model cannot be mirrored in the world it is tried on.
//!
//! # From what is seen to what may be run
//!
//! ```
//! use wheelhouse::{
//!     cluster::sketch,
//!     plan::{Intent, Target, plan},
//! };
//!
//! // A cluster as the tests write it down: three nodes, and a tenant with a pod on two of them.
//! let seen = sketch(
//!     "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2",
//!     "2026-11-29T03:00:00Z".parse()?,
//! )?;
//! let intent = Intent::Scale { targets: vec![Target { tenant: "acme".into(), to: 3 }] };
//! // Planning is a function of what is seen; the plan says what changes, and what stands against it.
//! let plan = plan(&seen, &intent);
//! assert_eq!(plan.refusals().count(), 0);
//! // Nothing but an approved plan can be run.
//! let approved = plan.approve(None, Some("a campaign starts".into()))?;
//! assert_eq!(approved.reason(), Some("a campaign starts"));
//! assert!(approved.plan().steps[0].change.is_write());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where this differs from what one might expect
//!
//! - The precondition of a scale is what the operator *saw*, not the `resourceVersion` of that moment: a Deployment's
//!   version changes with every pod that becomes ready, and refusing for that would refuse when it matters most. The
//!   write reads the scale, compares uid and replicas with the plan, and puts it back with the version just read, as
//!   `kubectl scale --current-replicas` does. What stands in between is a conflict, and is read again.
//! - `app` performs nothing: it returns effects, and [`cockpit`] carries them out. So the app is tested whole without a
//!   network, and the room that knows the wire is small.
pub mod app;
pub mod cli;
pub mod cluster;
pub mod cockpit;
pub mod config;
#[cfg(feature = "demo")]
pub use wheelhouse_demo as demo;
pub mod history;
pub mod live;
pub mod plan;
pub mod record;
pub mod run;
pub mod ui;
pub mod wire;
