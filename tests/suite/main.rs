//! One test binary for everything that needs more than one room: linking is what costs.

mod cli;
mod crash;
mod database;
mod database_act;
mod database_cli;
mod database_demo;
mod demo_api;
mod demo_database;
mod demo_scenarios;
mod demo_world;
mod galera;
mod headroom;
mod kubectl;
mod live;
mod planning;
mod program;
mod readme;
mod rights;
mod rooms;
mod runs;
mod scheduler;
mod screens;
mod session;
mod terminal;
mod tunnel;
mod world;
