//! One test binary for everything that needs more than one room: linking is what costs.

mod crash;
mod live;
mod cli;
mod planning;
mod program;
mod rights;
mod rooms;
mod runs;
mod scheduler;
mod session;
mod world;
