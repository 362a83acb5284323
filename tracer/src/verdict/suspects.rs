//! What people suspect first, and why it was not that.

use crate::{
    record::{Outcome, RuledOut},
    verdict::{Cause, view::View},
};

/// Suspects that the attempt itself clears, whatever the cause is.
pub fn ruled_out(view: &View<'_>) -> Vec<RuledOut> {
    let mut list = Vec::new();
    let mut clear = |cause: Cause, why: String| list.push(RuledOut { cause: cause.id().into(), why });
    if view.connection.is_none() || matches!(view.attempt.outcome, Outcome::Success | Outcome::Aborted) {
        return list;
    }
    if let Some(why) = no_tw_recycle(view) {
        clear(Cause::TimestampRejectedTwRecycle, why);
    }
    if view.established().is_some() && view.targets().any(|(_, target)| view.child(target).is_some()) {
        clear(Cause::AcceptQueueFull, "the listener took the connection: its child exists".into());
    }
    list
}

/// tcp_tw_recycle was removed in 4.12 (net/ipv4/tcp_input.c: tcp_conn_request), and with it the counter PAWSPassive.
fn no_tw_recycle(view: &View<'_>) -> Option<String> {
    if view.established().is_some() {
        return Some("the handshake was completed: no SYN was rejected for good".into());
    }
    // Older kernels: the SYN at the begin lies before the first look, so an unmoved PAWSPassive would not clear it.
    let release = &view.context.start.kernel;
    (version(release)? >= (4, 12)).then(|| format!("kernel {release} has no tcp_tw_recycle (removed in 4.12)"))
}

/// `(6, 18)` of `6.18.44-amd64`; `None` where it is not written so.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether `tcp:tcp_send_reset` fires where no socket is found (net/ipv4/tcp_ipv4.c: tcp_v4_send_reset; mainline 6.11).
/// Its *absence* is only used for what stays `likely`, so the version may decide.
pub fn reports_resets_without_socket(release: &str) -> bool {
    version(release).is_some_and(|known| known >= (6, 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_distributions() {
        assert_eq!(version("6.18.44"), Some((6, 18)));
        assert_eq!(version("3.10.0-1160.el7.x86_64"), Some((3, 10)));
        assert_eq!(version("linux"), None);
        assert!(!reports_resets_without_socket("6.1.0-13-amd64") && reports_resets_without_socket("6.12.3"));
    }
}
