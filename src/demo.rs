//! The embedded world
pub mod database;
