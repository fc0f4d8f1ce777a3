//! What holds data around the cluster, followed for real: Redis with a sentinel, MariaDB with a replica, and storage nodes
//! behind a stand-in for ssh.
//!
//! Needs: redis, galera

mod eye;
mod gluster;
mod redis;
mod replicas;
