//! Resident memory of a process, from /proc; nothing where there is no /proc.

use std::fs;

/// Kilobytes (of 1,024 bytes, as the kernel counts) that a process has in memory.
pub fn resident_kb(pid: u32) -> Option<f64> {
    resident_kb_in(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident_kb_in(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_size_is_found_among_the_others() {
        assert_eq!(resident_kb_in("VmHWM:\t   9000 kB\nVmRSS:\t   1234 kB\nRssAnon:\t 1 kB\n"), Some(1234.0));
        assert_eq!(resident_kb_in("Name:\tkthreadd\n"), None);
    }
}
