//! Simulated database.
mod answer;
mod dialect;
pub mod galera;
pub mod member;
pub mod mysqld;
mod noise;
mod protocol;
