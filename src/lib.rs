//! wheelhouse: a terminal cockpit for the on-call engineers of a multi-tenant SaaS on Kubernetes.
pub mod cluster;
pub mod config;
pub mod demo;
pub mod plan;
pub mod run;
