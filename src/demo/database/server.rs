//! The sockets of the simulated database: one task a server, one a connection. Called by `database`. It decides
//! nothing about answers; it makes processes that stop, freeze or misbehave look so from outside.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpStream, sync::watch, task::JoinSet};

use super::{
    BARE, COCKPIT, Client, Endpoint, Login, MONITOR, OPERATOR, PROXY_ADMIN, PROXY_STATS, Rights, Shared,
    admin::{self, Role},
    answer::Answer,
    mysqld,
    noise::Noise,
    posture::{Fault, Posture, Postures, Reach},
    protocol::{self, Hello, Packets},
};
use crate::port::Port;

/// Serves one endpoint until it is aborted.
pub(super) async fn serve(endpoint: Endpoint, mut port: Port, shared: Arc<Shared>, seed: u64) {
    let mut postures = shared.postures.subscribe();
    let mut connections = JoinSet::new();
    let mut noise = match endpoint {
        Endpoint::Member(i) => Noise::new(seed ^ (0x100 + i as u64)),
        Endpoint::Proxy(i) => Noise::new(seed ^ (0x200 + i as u64)),
    };
    loop {
        let posture = postures.borrow_and_update().of(endpoint);
        if port.set(posture.is_open()).is_err() {
            // Somebody else holds the port for the moment: to a client it is closed, as it is meant to be or soon is.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        }
        tokio::select! {
            changed = postures.changed() => if changed.is_err() { return },
            accepted = port.accept(), if posture.reach() == Reach::Open => {
                if let Ok((stream, peer)) = accepted {
                    let mut scramble = [0; 20];
                    scramble.fill_with(|| 33 + noise.below(93) as u8);
                    let life = Life { endpoint, life: posture.life, postures: postures.clone() };
                    let shared = shared.clone();
                    connections.spawn(async move {
                        // A client that went away ends its own connection and nothing else.
                        let _ = connection(stream, peer, life, &shared, scramble).await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The process a connection belongs to.
struct Life {
    endpoint: Endpoint,
    life: u64,
    postures: watch::Receiver<Postures>,
}

impl Life {
    fn posture(&mut self) -> Posture {
        self.postures.borrow_and_update().of(self.endpoint)
    }

    /// Whether the process is still the one the client connected to.
    fn over(&mut self) -> bool {
        let posture = self.posture();
        posture.reach() == Reach::Refused || posture.life != self.life
    }

    /// Waits until the process answers again; false if it is gone.
    async fn answering(&mut self) -> bool {
        loop {
            if self.over() {
                return false;
            }
            if self.posture().answers() {
                return true;
            }
            if self.postures.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Holds the connection without a word, until the process ends.
    async fn hold(&mut self) {
        while !self.over() && self.postures.changed().await.is_ok() {}
    }
}

/// A connection in the list of its server; it leaves the list when it ends.
struct Listed<'a> {
    shared: &'a Shared,
    endpoint: Endpoint,
    id: u64,
}

impl Listed<'_> {
    fn new<'a>(shared: &'a Shared, endpoint: Endpoint, peer: SocketAddr) -> Listed<'a> {
        let id = shared.with(|state| {
            *state.greeted.entry(endpoint).or_default() += 1;
            match endpoint {
                Endpoint::Member(at) => {
                    state.galera.connect(at, "unauthenticated user", &peer.to_string(), None)
                }
                Endpoint::Proxy(at) => {
                    let proxy = &mut state.proxies[at];
                    proxy.last_session += 1;
                    proxy.sessions.insert(proxy.last_session);
                    proxy.last_session
                }
            }
        });
        Listed { shared, endpoint, id }
    }

    fn present(&self) -> bool {
        let state = self.shared.lock();
        match self.endpoint {
            Endpoint::Member(at) => state.galera.members[at].sessions.contains_key(&self.id),
            Endpoint::Proxy(at) => state.proxies[at].sessions.contains(&self.id),
        }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| match self.endpoint {
            Endpoint::Member(at) => drop(state.galera.end_session(at, self.id)),
            Endpoint::Proxy(at) => drop(state.proxies[at].sessions.remove(&self.id)),
        });
    }
}

/// Who is at the other end.
enum Account {
    Member(Client),
    Proxy(Role, String),
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    mut life: Life,
    shared: &Shared,
    scramble: [u8; 20],
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let endpoint = life.endpoint;
    let mut packets = Packets::new(stream);
    match life.posture().fault {
        Some(Fault::WrongGreeting) => {
            packets.write_raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await?;
            life.hold().await;
            return Ok(());
        }
        Some(Fault::Full) => {
            return packets.answer(&Answer::error(1040, "08004", "Too many connections")).await;
        }
        _ => {}
    }
    let listed = Listed::new(shared, endpoint, peer);
    let version = match endpoint {
        Endpoint::Member(at) => format!("5.5.5-{}", shared.lock().galera.members[at].version),
        Endpoint::Proxy(at) => shared.lock().proxies[at].variable("mysql-server_version"),
    };
    packets.greet(&version, listed.id as u32, &scramble).await?;
    if life.posture().fault == Some(Fault::HalfOpen) {
        life.hold().await;
        return Ok(());
    }
    let Some(packet) = packets.read().await? else { return Ok(()) };
    let Some(mut hello) = protocol::hello(&packet) else {
        return packets.answer(&Answer::error(1043, "08S01", "Bad handshake")).await;
    };
    if hello.switch {
        let Some(scrambled) = packets.switch(&scramble).await? else { return Ok(()) };
        hello.scrambled = scrambled;
    }
    if !life.answering().await {
        return Ok(());
    }
    let mut account = match admit(&hello, endpoint, &listed, &scramble, &mut life) {
        Ok(account) => account,
        Err(refusal) => return packets.answer(&refusal).await,
    };
    packets.answer(&Answer::ok(0)).await?;
    loop {
        let packet = tokio::select! {
            packet = packets.read() => packet?,
            changed = life.postures.changed() => {
                if changed.is_err() || life.over() || !listed.present() {
                    return Ok(());
                }
                continue;
            }
        };
        let Some(packet) = packet else { return Ok(()) };
        if !life.answering().await || !listed.present() {
            return Ok(());
        }
        match command(shared, &mut account, endpoint, &packet) {
            None | Some(Answer::Hangup) => return Ok(()),
            Some(Answer::Silence) => {
                life.hold().await;
                return Ok(());
            }
            Some(answer) => packets.answer(&answer).await?,
        }
    }
}

/// Lets a client in, or says why not.
fn admit(
    hello: &Hello,
    endpoint: Endpoint,
    listed: &Listed,
    scramble: &[u8; 20],
    life: &mut Life,
) -> Result<Account, Answer> {
    let knows = |login: Login| login.0 == hello.user && protocol::proves(login.1, scramble, &hello.scrambled);
    let denied = |from: &str| {
        let using = if hello.scrambled.is_empty() { "NO" } else { "YES" };
        let user = &hello.user;
        let text = format!("{from}Access denied for user '{user}'@'127.0.0.1' (using password: {using})");
        Answer::error(1045, "28000", text)
    };
    if life.posture().fault == Some(Fault::RequireTls) {
        let text = "Connections using insecure transport are prohibited while --require_secure_transport=ON";
        return Err(Answer::error(3159, "08004", text));
    }
    match endpoint {
        Endpoint::Member(member) => {
            let accounts = [
                (MONITOR, Rights::Monitor),
                (COCKPIT, Rights::Acting),
                (OPERATOR, Rights::All),
                (BARE, Rights::Usage),
            ];
            let found = accounts.into_iter().find(|(login, _)| knows(*login));
            let (_, rights) = found.ok_or_else(|| denied(""))?;
            let (user, database) = (hello.user.clone(), hello.database.clone());
            let mut state = listed.shared.lock();
            if let Some(session) = state.galera.members[member].sessions.get_mut(&listed.id) {
                (session.user, session.database) = (user.clone(), database.clone());
            }
            Ok(Account::Member(Client { member, id: listed.id, user, rights, database, dirty_reads: false }))
        }
        Endpoint::Proxy(_) => {
            let accounts = [(PROXY_ADMIN, Role::Admin), (PROXY_STATS, Role::Stats)];
            let found = accounts.into_iter().find(|(login, _)| knows(*login));
            let (_, role) = found.ok_or_else(|| denied("ProxySQL Error: "))?;
            Ok(Account::Proxy(role, hello.user.clone()))
        }
    }
}

/// Answers one command; `None` when the client has said goodbye.
fn command(shared: &Shared, account: &mut Account, endpoint: Endpoint, packet: &[u8]) -> Option<Answer> {
    const QUIT: u8 = 1;
    const INIT_DB: u8 = 2;
    const QUERY: u8 = 3;
    const PING: u8 = 14;
    const CHANGE_USER: u8 = 17;
    const PREPARE: u8 = 22;
    const RESET: u8 = 31;
    let (code, rest) = packet.split_first()?;
    let text = String::from_utf8_lossy(rest);
    if *code == QUERY {
        return Some(shared.with(|state| {
            let strike = state.cuts.strike(&text);
            if strike == Some(false) {
                return Answer::Hangup;
            }
            state.hear(endpoint, &text);
            if state.deaf_to.is_some_and(|start| text.starts_with(start)) {
                return Answer::ok(0);
            }
            let answer = match (account, endpoint) {
                (Account::Member(client), _) => mysqld::answer(&mut state.galera, client, &text),
                (Account::Proxy(role, user), Endpoint::Proxy(at)) => {
                    admin::answer(&mut state.proxies[at], *role, user, &text)
                }
                (Account::Proxy(..), Endpoint::Member(_)) => Answer::Hangup,
            };
            if let Some((_, happens)) = state.meanwhile.take_if(|(start, _)| text.starts_with(*start)) {
                happens(state);
            }
            if strike.is_some() { Answer::Hangup } else { answer }
        }));
    }
    Some(match (*code, account) {
        (QUIT, _) => return None,
        (PING, _) => Answer::ok(0),
        (INIT_DB, Account::Member(client)) => {
            client.database = Some(text.into_owned());
            Answer::ok(0)
        }
        (INIT_DB, Account::Proxy(..)) => Answer::ok(0),
        (RESET, Account::Member(_)) => Answer::ok(0),
        (RESET, Account::Proxy(..)) => Answer::error(
            1047,
            "28000",
            "Received unsupported 'COM_RESET_CONNECTION' for session type 'PROXYSQL_SESSION_ADMIN'",
        ),
        (PREPARE, Account::Proxy(..)) => Answer::error(1045, "28000", "Command not supported"),
        (PREPARE, Account::Member(_)) => {
            let text = "This command is not supported in the prepared statement protocol yet";
            Answer::error(1295, "HY000", text)
        }
        (CHANGE_USER, Account::Proxy(..)) => Answer::Silence,
        _ => Answer::error(1047, "08S01", "Unknown command"),
    })
}
