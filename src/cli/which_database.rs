//! Which database, by flags and environment: laid over what the configuration file says. No password can be given here:
//! the arguments of a process are everybody's to read.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Address, Config, Login, PasswordFrom, Place};

/// The database, where it is not that of the configuration file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which database (otherwise that of the configuration file)")]
pub(super) struct WhichDatabase {
    /// The Galera members: HOST:PORT,…
    #[arg(
        long,
        value_name = "ADDRESSES",
        env = "WHEELHOUSE_GALERA_MEMBERS",
        value_delimiter = ',',
        global = true,
        hide_short_help = true
    )]
    galera_members: Vec<Address>,
    /// Who asks the members
    #[arg(long, value_name = "NAME", env = "WHEELHOUSE_GALERA_USER", global = true, hide_short_help = true)]
    galera_user: Option<String>,
    /// A file whose first line is that user's password
    #[arg(
        long,
        value_name = "FILE",
        env = "WHEELHOUSE_GALERA_PASSWORD_FILE",
        global = true,
        hide_short_help = true
    )]
    galera_password_file: Option<PathBuf>,
    /// Speak TLS with the members, and believe only this authority (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "WHEELHOUSE_GALERA_TLS_CA",
        global = true,
        hide_short_help = true
    )]
    galera_tls_ca: Option<PathBuf>,
    /// The admin ports of the ProxySQLs: HOST:PORT,… or NAMESPACE/SERVICE:PORT for every pod behind a service
    #[arg(
        long,
        value_name = "ADDRESSES",
        env = "WHEELHOUSE_PROXYSQL_ADDRESSES",
        value_delimiter = ',',
        global = true,
        hide_short_help = true
    )]
    proxysql_addresses: Vec<Place>,
    /// Who asks the ProxySQLs
    #[arg(
        long,
        value_name = "NAME",
        env = "WHEELHOUSE_PROXYSQL_USER",
        global = true,
        hide_short_help = true
    )]
    proxysql_user: Option<String>,
    /// A file whose first line is that user's password
    #[arg(
        long,
        value_name = "FILE",
        env = "WHEELHOUSE_PROXYSQL_PASSWORD_FILE",
        global = true,
        hide_short_help = true
    )]
    proxysql_password_file: Option<PathBuf>,
    /// Speak TLS with the ProxySQLs, and believe only this authority (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "WHEELHOUSE_PROXYSQL_TLS_CA",
        global = true,
        hide_short_help = true
    )]
    proxysql_tls_ca: Option<PathBuf>,
}

impl WhichDatabase {
    /// Lays what was given over the configuration.
    pub(super) fn lay_over(&self, config: &mut Config) {
        if !self.galera_members.is_empty() {
            config.galera.members.clone_from(&self.galera_members);
        }
        if !self.proxysql_addresses.is_empty() {
            config.proxysql.addresses.clone_from(&self.proxysql_addresses);
        }
        let login = |of: &mut Login, user: &Option<String>, file: &Option<PathBuf>, ca: &Option<PathBuf>| {
            of.user = user.clone().or(of.user.take());
            of.password = file.clone().map(PasswordFrom::File).or(of.password.take());
            of.tls_ca = ca.clone().or(of.tls_ca.take());
        };
        let (galera, proxysql) = (&mut config.galera.login, &mut config.proxysql.login);
        login(galera, &self.galera_user, &self.galera_password_file, &self.galera_tls_ca);
        login(proxysql, &self.proxysql_user, &self.proxysql_password_file, &self.proxysql_tls_ca);
    }
}
