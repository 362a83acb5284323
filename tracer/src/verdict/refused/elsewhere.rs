//! The target listens elsewhere, is another's, or hides behind a firewall.

use crate::{
    observation::ListenerState,
    verdict::{
        Cause,
        engine::{Claim, Finding, Standing},
        refused::{
            evidence::{Refusal, is_starting},
            if_refused,
        },
        rivals, suspects, text,
        view::{View, holder, plain, same_family},
    },
};

/// See the rule.
pub fn wrong_target(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        let Some((_, target)) = refusal.after else { return Finding::lost("the target's namespace was not read") };
        let address = refusal.target().ip();
        let known = view.probe().map(|probe| &probe.container);
        if known.is_some_and(|container| container.host_network) {
            return Finding::lost("the pod shares the node's addresses");
        }
        let whose = match target.of_container {
            Some(true) if !target.address_is_local => "the container's network namespace has no such address",
            Some(false) => "the address belongs to another network namespace than the container's",
            _ => return Finding::lost("the address is the target's own, or its namespace is not known"),
        };
        let ips = known.map(|container| &container.pod_ips).filter(|ips| !ips.is_empty());
        let ips = ips.map_or_else(String::new, |ips| {
            let ips: Vec<_> = ips.iter().map(ToString::to_string).collect();
            format!(" (the pod has {})", ips.join(", "))
        });
        let claim = Claim::inferred(format!("{}; {whose}{ips}", refusal.text(view)))
            .evidence("probed address", address, "connect()")
            .missing("who answered: address translation on the way looks the same");
        claim.fits()
    })
}

/// See the rule.
pub fn listening_elsewhere(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        if !refusal.nothing_listens() {
            return Finding::lost("a listener for it is there, or the target's listeners were not read");
        }
        let Some((listener, how)) = nearest(view, refusal) else {
            return Finding::lost("the container is not known to listen anywhere else");
        };
        let same_port = listener.local.port() == refusal.target().port();
        let owned = listener.in_container == Some(true);
        let place = plain(listener.local);
        let summary = format!("{}; {} listens on {place}, {how}", refusal.text(view), holder(listener));
        let claim = Claim::shown_if(same_port && owned && refusal.is_proof(), summary).evidence(
            "nearest listener",
            place,
            "sock_diag in the target's namespace",
        );
        let claim = if owned { claim } else { claim.missing("whether that listener is the probed container's") };
        let claim = if same_port { claim } else { claim.missing("whether that port was meant") };
        refusal.evidence(view, refusal.missing(claim)).fits()
    })
}

/// The listener that was most likely meant: on the same port, else one of the container's own.
fn nearest<'a>(view: &View<'_>, refusal: &Refusal<'a>) -> Option<(&'a ListenerState, &'static str)> {
    let (_, target) = refusal.after?;
    let wanted = refusal.target();
    let shared = view.probe().is_none_or(|probe| probe.container.host_network);
    let may_be_own = |one: &&ListenerState| match one.in_container {
        Some(own) => own,
        None => !shared,
    };
    let others = || target.other_listeners.iter().filter(may_be_own);
    if let Some(one) = others().find(|one| one.local.port() == wanted.port()) {
        let how = if same_family(one.local.ip(), wanted.ip()) { "another address" } else { "the other address family" };
        return Some((one, how));
    }
    // Another port means something only where the manifest declares the probed one and not that (an admin port, a second
    // server or a sidecar's port beside a missing one is the rule), or declares none and there is but one.
    let declared = &view.probe()?.container.ports;
    let settled = is_starting(view) == Some(false) || view.container_age_ns().is_none();
    if !settled || view.attempt.history.successes > 0 || !(declared.is_empty() || declared.contains(&wanted.port())) {
        return None;
    }
    let reachable = |one: &&ListenerState| !one.local.ip().to_canonical().is_loopback();
    let unmeant = |one: &&ListenerState| !view.attempt.meant_ports.contains(&one.local.port());
    let own = target.other_listeners.iter().filter(|one| one.in_container == Some(true));
    let mut own = own.filter(reachable).filter(unmeant);
    let first = own.next()?;
    (!declared.is_empty() || own.next().is_none()).then_some((first, "another port"))
}

/// See the rule. At most `likely`: a listener may have begun to listen in between.
pub fn rejected_by_firewall(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        if refusal.no_socket {
            return Finding::lost("the target's own TCP sent the reset");
        }
        if refusal.by_reset && !suspects::reports_resets_without_socket(&view.context.start.kernel) {
            return Finding::lost("this kernel's tcp:tcp_send_reset is silent for a port without a socket");
        }
        let hook = if refusal.by_reset { "tcp:tcp_send_reset" } else { "tcp:tcp_receive_reset" };
        if let Err(why) = view.absence_counts(hook) {
            return Finding::lost(why);
        }
        let text = refusal.text(view);
        let Some(listener) = refusal.listeners().first() else {
            if refusal.by_reset {
                return Finding::lost("no listener that would accept is seen");
            }
            let claim = Claim::inferred(format!("{text}, as a REJECT rule sends; no RST was received"));
            return refusal.evidence(view, claim.missing(rivals::missing_hook(Cause::DroppedByNetfilter))).fits();
        };
        let summary = format!("{text}, though {} listens there; its kernel sent no reset", holder(listener));
        let gap = refusal.after.map_or(0, |(look, _)| look.done_ns.saturating_sub(refusal.at_ns));
        let between = format!("it may have begun to listen within {}", text::duration(gap));
        let claim = Claim::inferred(summary).rival(Cause::NotListeningYet, Standing::Open(between));
        refusal.evidence(view, claim).fits()
    })
}
