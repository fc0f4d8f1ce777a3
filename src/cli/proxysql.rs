//! `wheelhouse proxysql`: the servers every ProxySQL knows, and what each keeps on its disk.

use clap::{Args, Subcommand};

use super::{Common, Failure, act::Consent, database_act};
use crate::{config::Address, plan::DatabaseAct};

/// The arguments of `wheelhouse proxysql`.
#[derive(Debug, Args)]
pub(super) struct ProxysqlArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a server to every ProxySQL, with rows like those of another
    Add {
        /// The server, as the proxies reach it; the port is 3306 where it is left out
        #[arg(value_name = "HOST:PORT")]
        address: Address,
        /// The member whose weight and limits it gets [default: a reader]
        #[arg(long, value_name = "MEMBER")]
        like: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove a server from every ProxySQL, for good: only undoing the run brings it back
    Remove {
        /// The server, as the proxies tell it; or the member, by its name
        #[arg(value_name = "HOST:PORT")]
        server: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Save the servers a ProxySQL works with to its disk, so that a restart keeps them
    Save {
        /// The proxy, as `wheelhouse database` names it [default: every one whose disk differs]
        #[arg(value_name = "PROXY")]
        proxy: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(super) async fn run(common: &Common, args: ProxysqlArgs) -> Result<(), Failure> {
    match args.command {
        Command::Add { address, like, consent } => {
            database_act::carry_out(common, consent, |names| {
                let like = names.maybe_member(like.as_deref())?;
                Ok(DatabaseAct::AddServer { address: address.to_string().into(), like })
            })
            .await
        }
        Command::Remove { server, consent } => {
            database_act::carry_out(common, consent, |names| {
                Ok(DatabaseAct::RemoveServer { address: names.server(&server)? })
            })
            .await
        }
        Command::Save { proxy, consent } => {
            database_act::carry_out(common, consent, |names| {
                let proxy = proxy.map(|name| names.proxy(&name)).transpose()?;
                Ok(DatabaseAct::Save { proxy })
            })
            .await
        }
    }
}
