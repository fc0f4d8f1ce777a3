//! Reading a cluster: recorded replies become our types, and a scripted API server misbehaves in every way we know.

mod captures;
mod cluster;
mod convert;
mod extensions;
mod facts;
mod fold;
mod observe;
mod server;
