//! A line of so many bytes a second to a port of loopback, shared by all connections over it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

const PIECE: usize = 8 * 1024;

/// The near end.
pub struct Line {
    pub port: u16,
    carrying: Option<JoinHandle<()>>,
}

impl Line {
    /// A line to that port; without a rate it is the port itself.
    pub async fn to(port: u16, rate: Option<u32>) -> Self {
        let Some(rate) = rate else { return Self { port, carrying: None } };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let near = listener.local_addr().expect("an address").port();
        let free = Arc::new(Mutex::new(Instant::now()));
        let carrying = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, port, rate, free.clone()));
            }
        });
        Self { port: near, carrying: Some(carrying) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.carrying.iter().for_each(JoinHandle::abort);
    }
}

async fn carry(near: TcpStream, port: u16, rate: u32, free: Arc<Mutex<Instant>>) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let ((mut asks, mut hears), (mut answers, mut takes)) = (near.into_split(), far.into_split());
    let up = async { tokio::io::copy(&mut asks, &mut takes).await };
    let down = async {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = answers.read(&mut piece).await {
            let due = {
                let mut free = free.lock().await;
                *free = (*free).max(Instant::now()) + Duration::from_secs_f64(read as f64 / f64::from(rate));
                *free
            };
            sleep_until(due).await;
            if hears.write_all(&piece[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = up => {}
        () = down => {}
    }
}
