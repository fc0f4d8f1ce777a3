//! Which port of this machine leads to which port of a pod.

use std::{fmt, str::FromStr};

/// `8080:80`: port 8080 here, port 80 there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// On 127.0.0.1; 0: any that is free.
    pub local: u16,
    /// Of the pod.
    pub remote: u16,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.local, self.remote)
    }
}

impl FromStr for Ports {
    type Err = String;

    /// `8080:80`, `80` (the same port here), `:80` (any free port here), as kubectl takes them.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!("`{text}` is no pair of ports: write LOCAL:REMOTE such as 8080:80, each from 1 to 65535")
        };
        let port = |part: &str| part.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
        match text.split_once(':') {
            None => port(text).map(|both| Self { local: both, remote: both }),
            Some(("" | "0", remote)) => Ok(Self { local: 0, remote: port(remote)? }),
            Some((local, remote)) => Ok(Self { local: port(local)?, remote: port(remote)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_kubectl_reads_them() {
        let of = |text: &str| text.parse::<Ports>().map(|ports| (ports.local, ports.remote));
        assert_eq!(of("8080:80"), Ok((8080, 80)));
        assert_eq!(of("80"), Ok((80, 80)));
        assert_eq!((of(":80"), of("0:80")), (Ok((0, 80)), Ok((0, 80))));
        for odd in ["", "x", "80:", "80:0", "70000:80", "80:http", "1:2:3", "-1:80"] {
            let why = of(odd).unwrap_err();
            assert!(why.contains("LOCAL:REMOTE"), "{odd}: {why}");
        }
    }
}
