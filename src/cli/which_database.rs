//! Which database, by flags and environment: laid over what the configuration file says. No password can be given here:
//! the arguments of a process are everybody's to read.

use std::path::PathBuf;

use clap::{Args, builder::StyledStr};

use crate::config::{Address, Layers, Origin, PasswordFrom, ProxyEntry};

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
        hide = true
    )]
    galera_members: Vec<Address>,
    #[command(flatten)]
    members_by: MembersBy,
    /// The admin ports of the ProxySQLs: HOST:PORT,… or NAMESPACE/SERVICE:PORT for every pod behind a service
    #[arg(
        long,
        value_name = "ADDRESSES",
        env = "WHEELHOUSE_PROXYSQL_ADDRESSES",
        value_delimiter = ',',
        global = true,
        hide = true
    )]
    proxysql_addresses: Vec<ProxyEntry>,
    #[command(flatten)]
    proxies_by: ProxiesBy,
}

/// The flags of a login: `--PREFIX-user` and so on, and `WHEELHOUSE_PREFIX_USER` and so on.
macro_rules! login {
    ($name:ident, $prefix:literal, $env:literal, $whom:literal) => {
        #[derive(Clone, Debug, Default, Args)]
        #[group(skip)]
        struct $name {
            #[arg(
                id = concat!($prefix, "-user"),
                long = concat!($prefix, "-user"),
                value_name = "NAME",
                env = concat!("WHEELHOUSE_", $env, "_USER"),
                global = true,
                hide = true,
                help = concat!("Who asks the ", $whom)
            )]
            user: Option<String>,
            #[arg(
                id = concat!($prefix, "-password-file"),
                long = concat!($prefix, "-password-file"),
                value_name = "FILE",
                env = concat!("WHEELHOUSE_", $env, "_PASSWORD_FILE"),
                global = true,
                hide = true,
                help = "A file whose first line is that user's password"
            )]
            password_file: Option<PathBuf>,
            #[arg(
                id = concat!($prefix, "-tls-ca"),
                long = concat!($prefix, "-tls-ca"),
                value_name = "FILE",
                env = concat!("WHEELHOUSE_", $env, "_TLS_CA"),
                global = true,
                hide = true,
                help = concat!("Speak TLS with the ", $whom, ", and believe only this authority (PEM)")
            )]
            tls_ca: Option<PathBuf>,
            #[arg(
                id = concat!($prefix, "-tls-name"),
                long = concat!($prefix, "-tls-name"),
                value_name = "NAME",
                env = concat!("WHEELHOUSE_", $env, "_TLS_NAME"),
                global = true,
                hide = true,
                help = "The name in the certificates, where it is not the host"
            )]
            tls_name: Option<String>,
        }

        impl $name {
            fn lay_over(&self, layers: &mut Layers, origin: &impl Fn(&str) -> Origin) {
                let mut lay = |key: &str, flag: &str, value: Option<toml::Value>| {
                    let flag = format!(concat!($prefix, "-{}"), flag);
                    let path = format!(concat!($prefix, ".{}"), key);
                    value.into_iter().for_each(|value| layers.lay(origin(&flag), &path, value));
                };
                let path = |path: &PathBuf| toml::Value::String(path.to_string_lossy().into_owned());
                let text = |text: &String| toml::Value::String(text.clone());
                let file = self.password_file.clone().map(PasswordFrom::File);
                lay("user", "user", self.user.as_ref().map(text));
                lay("password", "password-file", file.and_then(|file| toml::Value::try_from(file).ok()));
                lay("tls-ca", "tls-ca", self.tls_ca.as_ref().map(path));
                lay("tls-name", "tls-name", self.tls_name.as_ref().map(text));
            }
        }
    };
}

login!(MembersBy, "galera", "GALERA", "members");
login!(ProxiesBy, "proxysql", "PROXYSQL", "ProxySQLs");

/// The flags as help prints them. They belong to every command, and are shown where somebody looks for them.
pub(super) fn flags() -> StyledStr {
    let alone = WhichDatabase::augment_args(clap::Command::new("wheelhouse"));
    let shown = alone.disable_help_flag(true).mut_args(|flag| flag.hide(false));
    shown.help_template("{all-args}").render_long_help()
}

impl WhichDatabase {
    /// Lays what was given over the configuration; `origin` tells where a flag's value comes from.
    pub(super) fn lay_over(&self, layers: &mut Layers, origin: &impl Fn(&str) -> Origin) {
        if !self.galera_members.is_empty() {
            layers.lay(origin("galera_members"), "galera.members", &self.galera_members);
        }
        if !self.proxysql_addresses.is_empty() {
            layers.lay(origin("proxysql_addresses"), "proxysql.addresses", &self.proxysql_addresses);
        }
        self.members_by.lay_over(layers, origin);
        self.proxies_by.lay_over(layers, origin);
    }
}
