use super::*;
use crate::event::Bytes;

fn sock(id: u64, change: SockChange, port: u16) -> Sock {
    Sock {
        id,
        change,
        local: ([127, 0, 0, 1], port).into(),
        remote: ([127, 0, 0, 1], 80).into(),
        tgid: 1,
        netns: 1,
        born_ns: 1,
        error: 0,
        bytes_watched: false,
        bytes: Bytes::default(),
        by_cgroup: false,
    }
}

fn state(id: u64, from: u8, to: u8) -> Sock {
    sock(id, SockChange::State { from, to }, 40_000)
}

fn connect(ways: &mut Ways, id: u64) -> Option<Order> {
    assert_eq!(ways.observe(&sock(id, SockChange::State { from: 7, to: 2 }, 0), id), None);
    ways.observe(&sock(id, SockChange::SeenByCgroup, 40_000), id)
}

fn agreed() -> Ways {
    let mut ways = Ways::new(WayChoice::Auto, Ok(()));
    for id in 1..AGREEMENTS.into() {
        assert_eq!(connect(&mut ways, id), None);
    }
    assert_eq!(connect(&mut ways, AGREEMENTS.into()), Some(Order::ClaimInCgroup));
    ways
}

#[test]
fn eight_agreements_switch_and_the_old_way_drains() {
    let mut ways = agreed();
    assert_eq!(ways.tick(100), None, "eight sockets are open");
    for id in 1..=u64::from(AGREEMENTS) {
        assert_eq!(ways.observe(&state(id, 2, 1), 20), None);
        assert_eq!(ways.observe(&state(id, 1, 7), 21), None);
    }
    assert_eq!(ways.tick(101), Some(Order::DetachNodeWide));
    assert!(ways.is_scoped() && !ways.is_open());
    assert_eq!(ways.tick(102), None);
}

#[test]
fn a_socket_that_never_ends_is_left_after_ten_minutes() {
    let mut ways = agreed();
    assert_eq!(ways.tick(DRAIN_NS), None);
    assert_eq!(ways.tick(DRAIN_NS + 9), Some(Order::DetachNodeWide));
}

#[test]
fn a_connect_that_sock_ops_missed_keeps_the_node_wide_way() {
    let mut ways = Ways::new(WayChoice::Auto, Ok(()));
    connect(&mut ways, 1);
    ways.observe(&sock(2, SockChange::State { from: 7, to: 2 }, 0), 2);
    assert_eq!(ways.observe(&state(2, 2, 1), 3), Some(Order::StayNodeWide));
    assert!(!ways.is_open() && !ways.is_scoped());
    assert_eq!(connect(&mut ways, 3), None);
}

#[test]
fn a_connect_that_failed_before_its_syn_is_no_mismatch() {
    let mut ways = Ways::new(WayChoice::Auto, Ok(()));
    ways.observe(&sock(2, SockChange::State { from: 7, to: 2 }, 0), 2);
    assert_eq!(ways.observe(&sock(2, SockChange::State { from: 2, to: 7 }, 0), 3), None);
    assert!(ways.is_comparing());
}

#[test]
fn a_repeated_sight_counts_once() {
    let mut ways = Ways::new(WayChoice::Auto, Ok(()));
    connect(&mut ways, 1);
    for _ in 0..20 {
        assert_eq!(ways.observe(&sock(1, SockChange::SeenByCgroup, 1), 5), None);
    }
    assert!(ways.is_comparing());
}

#[test]
fn no_cgroup_of_its_own_means_node_wide() {
    for choice in [WayChoice::Auto, WayChoice::Cgroup] {
        let ways = Ways::new(choice, Err("the root cgroup".to_owned()));
        assert_eq!(ways.describe(), "node-wide (the root cgroup)");
    }
    assert!(Ways::new(WayChoice::Cgroup, Ok(())).is_scoped());
}
