use super::*;
use crate::attempt::testkit::{self, MS, target, update, with_container};

fn at(store: &SpecStore, at_ms: u64) -> Vec<Candidate> {
    store.by_endpoint(at_ms * MS, target().ip(), target().port())
}

#[test]
fn a_better_source_hides_a_pod_of_a_lesser_one() {
    let mut store = SpecStore::new(100);
    store.update(&update(1, SpecSource::File, vec![testkit::http("/file"), testkit::exec("x")]));
    store.update(&update(1, SpecSource::Api, vec![testkit::http("/api")]));
    let found = at(&store, 2);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].source, &*found[0].spec), (SpecSource::Api, &testkit::http("/api")));
    assert!(store.all_exec(2 * MS).is_empty());
}

#[test]
fn pods_that_only_a_lesser_source_has_are_kept() {
    let mut store = SpecStore::new(100);
    let other = with_container(&testkit::http("/"), |container| {
        (container.pod_uid, container.pod) = ("u2".into(), "p2".into())
    });
    store.update(&update(1, SpecSource::Api, vec![testkit::http("/")]));
    store.update(&update(1, SpecSource::StaticPods, vec![other.clone(), testkit::http("/")]));
    let sources: Vec<_> = at(&store, 2).iter().map(|candidate| candidate.source).collect();
    assert_eq!(sources, [SpecSource::Api, SpecSource::StaticPods]);
}

#[test]
fn an_address_that_only_a_lesser_source_knows_is_taken_from_it() {
    let mut store = SpecStore::new(100);
    let blank =
        testkit::probe(Handler::Http { address: None, host_name: None, port: 8080, path: "/".into(), tls: false });
    store.update(&update(1, SpecSource::Api, vec![blank]));
    assert!(at(&store, 2).is_empty());
    store.update(&update(3, SpecSource::Kubelet, vec![testkit::http("/")]));
    assert_eq!(at(&store, 4)[0].source, SpecSource::Kubelet);
}

#[test]
fn versions_are_valid_in_their_time() {
    let mut store = SpecStore::new(100);
    store.update(&update(1_000, SpecSource::File, vec![testkit::http("/old")]));
    store.update(&update(2_000, SpecSource::File, vec![testkit::http("/new")]));
    assert_eq!(*at(&store, 1_500)[0].spec, testkit::http("/old"));
    assert_eq!(*at(&store, 2_500)[0].spec, testkit::http("/new"));
    // Kept for 2 minutes and more.
    store.update(&update(122_000, SpecSource::File, Vec::new()));
    assert_eq!(*at(&store, 1_500)[0].spec, testkit::http("/old"));
    store.update(&update(400_000, SpecSource::File, Vec::new()));
    assert!(at(&store, 1_500).is_empty());
}

#[test]
fn an_address_is_learned_up_to_10_s_late_but_not_after_its_first_pod() {
    let mut store = SpecStore::new(100);
    store.update(&update(10_000, SpecSource::File, vec![testkit::http("/first")]));
    store.update(&update(11_000, SpecSource::File, vec![testkit::http("/second")]));
    assert_eq!(*at(&store, 1_000)[0].spec, testkit::http("/first"));
    assert!(at(&store, 1_000 - 1_000).len() == 1 && store.by_endpoint(0, target().ip(), 1).is_empty());
    store.update(&update(30_000, SpecSource::File, Vec::new()));
    assert!(at(&store, 31_000).is_empty());
}

#[test]
fn localhost_is_probed_in_either_family() {
    let mut store = SpecStore::new(100);
    let spec = testkit::probe(Handler::Tcp { address: None, host_name: Some("localhost".into()), port: 9099 });
    assert!(store.update(&update(1, SpecSource::File, vec![spec])));
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(store.by_endpoint(2 * MS, address.parse().unwrap(), 9099).len(), 1, "{address}");
    }
    assert_eq!(store.endpoints().len(), 2);
}

#[test]
fn the_number_of_versions_is_bounded_and_counted() {
    let mut store = SpecStore::new(2);
    let specs = (0..4).map(|index| testkit::http(&format!("/{index}"))).collect();
    store.update(&update(1, SpecSource::File, specs));
    assert_eq!((at(&store, 2).len(), store.dropped()), (2, 2));
}

#[test]
fn the_same_update_again_changes_nothing() {
    let mut store = SpecStore::new(100);
    assert!(store.update(&update(1, SpecSource::File, vec![testkit::http("/")])));
    assert!(!store.update(&update(2, SpecSource::File, vec![testkit::http("/"), testkit::http("/")])));
    assert_eq!(at(&store, 3).len(), 1);
}
