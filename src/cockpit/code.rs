//! Gives back the memory of code that runs no more: more than half of it runs only while the cockpit starts.

use std::{ops::Range, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::cluster::Snapshot;

/// From when all is seen until the start is over: the first screens are drawn and the first measurements read.
const STARTS: Duration = Duration::from_secs(20);
/// How often it is given back from then on.
const EVERY: Duration = Duration::from_mins(5);

/// Gives it back once the start is over, and again and again what the operator has gone away from.
pub(super) async fn give_back(mut seen: watch::Receiver<Arc<Snapshot>>) {
    if seen.wait_for(|seen| seen.is_ready()).await.is_err() {
        return;
    }
    sleep(STARTS).await;
    while drop_pages() {
        sleep(EVERY).await;
    }
}

/// Takes the pages of the program's code out of its memory, and what is only read beside it. What is needed again comes
/// back from the cache of the file, 64 KiB at a time. Whether that could be done.
#[allow(unsafe_code, reason = "madvise has no safe form")]
fn drop_pages() -> bool {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return false };
    let Some(code) = code(&maps, drop_pages as fn() -> bool as usize) else { return false };
    // SAFETY: the mappings are of a file, private, and nothing writes to them: they read the same afterwards.
    unsafe {
        libc::madvise(std::ptr::without_provenance_mut(code.start), code.len(), libc::MADV_DONTNEED) == 0
    }
}

/// The addresses of the code that an address lies in, as `/proc/PID/maps` has it, with what stands before it in the same
/// file. What stands behind it looks the same, but the loader has written addresses into it.
fn code(maps: &str, address: usize) -> Option<Range<usize>> {
    let mut begin = None;
    maps.lines().find_map(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let [addresses, rights, offset, _, file, ..] = fields[..] else { return None };
        let (start, end) = addresses.split_once('-')?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        match rights {
            "r--p" if number(offset) == Some(0) => {
                begin = Some((start, end, file));
                None
            }
            "r-xp" if (start..end).contains(&address) => {
                let before = begin.filter(|(_, begin_end, of)| (*begin_end, *of) == (start, file));
                Some(before.map_or(start, |(begin, ..)| begin)..end)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55b0bf000000-55b0c0000000 r--p 00000000 fe:00 1031 /usr/lib/locale/locale-archive
55b0c0000000-55b0c0a20000 r--p 00000000 fe:00 1057 /usr/local/bin/wheelhouse
55b0c0a20000-55b0c3474000 r-xp 00a1f000 fe:00 1057 /usr/local/bin/wheelhouse
55b0c3474000-55b0c3555000 r--p 03472000 fe:00 1057 /usr/local/bin/wheelhouse
55b0c3555000-55b0c3560000 rw-p 03552000 fe:00 1057 /usr/local/bin/wheelhouse
7f10de000000-7f10de021000 rw-p 00000000 00:00 0
7f10df000000-7f10df021000 r-xp 00000000 fe:00 1032 /usr/lib/libc.so.6
";

    #[test]
    fn only_what_nothing_writes_to_is_taken() {
        for address in [0x55b0_c0a2_0000, 0x55b0_c347_3fff] {
            assert_eq!(code(MAPS, address), Some(0x55b0_c000_0000..0x55b0_c347_4000));
        }
        assert_eq!(code(MAPS, 0x7f10_df00_0001), Some(0x7f10_df00_0000..0x7f10_df02_1000));
        for other in [0x55b0_c347_4000, 0x55b0_c000_0000, 0x55b0_c355_5000, 0x7f10_de00_0000, 0] {
            assert_eq!(code(MAPS, other), None, "{other:x}");
        }
    }

    #[test]
    fn the_program_goes_on_without_the_pages_of_its_code() {
        assert!(drop_pages());
        assert_eq!(MAPS.lines().count(), 7);
    }
}
