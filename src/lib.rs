//! wheelhouse: a terminal cockpit for the on-call engineers of a multi-tenant SaaS on Kubernetes.
pub mod app;
pub mod cluster;
pub mod plan;
pub mod run;
pub mod ui;
