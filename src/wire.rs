//! Connections, without meaning.
pub mod sql;
