//! One test binary for everything that needs more than one room: linking is what costs.

mod demo_database;
mod rooms;
