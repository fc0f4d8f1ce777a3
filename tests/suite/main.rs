//! One test binary for everything that needs more than one room: linking is what costs.

mod rooms;
mod database;
mod galera;
