//! The embedded cluster: a deterministic world behind a real Kubernetes API on loopback.
