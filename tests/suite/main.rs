//! One test binary for everything that needs more than one room: linking is what costs.

mod database;
mod galera;
mod rooms;
