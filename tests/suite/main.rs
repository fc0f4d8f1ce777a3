//! One test binary for everything that needs more than one room: linking is what costs.

mod crash;
mod live;
mod planning;
mod rooms;
mod runs;
mod scheduler;
mod session;
