//! From the sources to the snapshot.
pub mod database;
mod galera;
mod proxysql;
