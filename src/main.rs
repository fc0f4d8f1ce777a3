//! The `wheelhouse` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    give_back();
    wheelhouse::cli::main()
}

/// Has the C library keep no more memory than is used. By itself it keeps a heap for each thread, learns to put ever
/// larger pieces there, and gives back only what is free at the end of one: the measurements, which are new every 15 s,
/// would grow it for minutes.
#[allow(unsafe_code, reason = "mallopt has no safe form; it is called before any other thread is there")]
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets numbers of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 10);
        libc::mallopt(libc::M_TOP_PAD, 128 << 10);
    }
}
