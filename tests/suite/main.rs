//! One test binary for everything that needs more than one room: linking is what costs.

mod live;
mod planning;
mod rooms;
mod scheduler;
mod world;
