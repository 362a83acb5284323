//! Against a small server of our own, and (ignored without one) against a real kubelet.

use std::collections::VecDeque;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

const PODS: &str = include_str!("../../../../tests/manifests/kubelet-pods.json");

/// Answers each connection with the next of these, and gives back the requests.
async fn serve(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        let mut answers = VecDeque::from(answers);
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let bytes = stream.read(&mut request).await.unwrap();
            requests.push(String::from_utf8_lossy(&request[..bytes]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (url, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn kubelet(url: &str) -> Kubelet {
    let config = KubeletConfig { url: Some(url.to_owned()), ..KubeletConfig::default() };
    Kubelet::new(config, "n1".to_owned(), KubeletPid::default())
}

#[tokio::test]
async fn reads_the_pods_whatever_their_order() {
    // The kubelet gives its pods in a random order; the specs must not seem to change.
    let mut reversed: serde_json::Value = serde_json::from_str(PODS).unwrap();
    reversed["items"].as_array_mut().unwrap().reverse();
    let (url, served) = serve(vec![ok(PODS), ok(&reversed.to_string())]).await;
    let (source, first) = kubelet(&url).look().await;
    let (source, second) = source.look().await;
    let (first, second) = (first.into_parts(), second.into_parts());
    assert_eq!((first.0.probes.len(), &first.1), (6, &None));
    assert_eq!(first, second);
    assert_eq!(source.interval(), FAST_INTERVAL, "its answer was new");
    assert_eq!(source.name(), format!("kubelet {url}/pods"));
    let requests = served.await.unwrap();
    assert!(requests[0].starts_with("GET /pods HTTP/1.1\r\n") && requests[0].contains("user-agent: probetrace/"));
}

#[tokio::test]
async fn failures_are_states_with_a_remedy() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden".to_owned();
    let too_large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_ANSWER_BYTES + 1);
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{", 1000);
    let no_pods = ok("{}");
    let (url, served) = serve(vec![refusal, too_large, cut, no_pods, "SSH-2.0-x\r\n".to_owned()]).await;
    let mut source = kubelet(&url);
    for (state, why) in [
        (SourceState::Denied, "403 Forbidden; give --kubelet-client-certificate"),
        (SourceState::Failing, "larger than 67108864 bytes"),
        (SourceState::Failing, "end of file before message length reached"),
        (SourceState::Failing, "a document without `kind`"),
        (SourceState::Failing, "invalid HTTP version"),
    ] {
        let looked;
        (source, looked) = source.look().await;
        assert!(looked.is_bad(state), "{looked:?}");
        let (_, remark) = looked.into_parts();
        assert!(remark.as_ref().unwrap().contains(why), "{remark:?}");
    }
    served.await.unwrap();
    let (_, looked) = source.look().await;
    assert!(looked.is_bad(SourceState::Absent) && looked.into_parts().1.unwrap().contains("refused"));
}

#[tokio::test]
async fn a_kubelet_that_vanishes_keeps_its_specs() {
    let (url, served) = serve(vec![ok(PODS)]).await;
    let (source, _) = kubelet(&url).look().await;
    served.await.unwrap();
    let (_, looked) = source.look().await;
    assert!(looked.is_bad(SourceState::Failing), "{looked:?}");
}

#[test]
fn urls() {
    assert_eq!(parse_url("https://10.0.0.1:10250"), Ok((true, "10.0.0.1:10250".parse().unwrap())));
    assert_eq!(parse_url("http://[::1]:1/"), Ok((false, "[::1]:1".parse().unwrap())));
    assert_eq!(parse_url("http://localhost:2"), Ok((false, "127.0.0.1:2".parse().unwrap())));
    for wrong in ["10.0.0.1:10250", "ftp://10.0.0.1:1", "https://10.0.0.1", "https://node1:1", "", "https://"] {
        assert!(parse_url(wrong).unwrap_err().contains("write http://ADDRESS:PORT"), "{wrong}");
    }
}

#[test]
fn the_way_that_worked_comes_first() {
    let mut source = kubelet("https://127.0.0.1:1");
    let settings = Settings::default();
    source.config.client_certificate = Some("/c".into());
    source.config.token_file = Some("/t".into());
    let [certificate, token] = &source.ways(&settings).unwrap()[..] else { panic!() };
    source.preferred = Some(token.clone());
    assert_eq!(source.ways(&settings).unwrap(), [token.clone(), certificate.clone()]);
}

#[tokio::test]
async fn a_token_is_not_sent_to_whoever_listens() {
    let file = std::env::temp_dir().join(format!("probetrace-{}-token", std::process::id()));
    std::fs::write(&file, "secret\n").unwrap();
    let mut source = kubelet("https://127.0.0.1:1");
    source.config.token_file = Some(file.clone());
    let (mut source, looked) = source.look().await;
    assert!(looked.is_bad(SourceState::Failing) && looked.into_parts().1.unwrap().contains("--kubelet-ca"));
    source.config.insecure_token = true;
    let (_, looked) = source.look().await;
    assert!(looked.is_bad(SourceState::Absent), "then it is tried, and nothing listens there");
    std::fs::remove_file(file).unwrap();
}

/// `eval "$(k8s.sh env | sed 's/^/export /')"` with a running node of the kit, then `cargo test -- --ignored`. As root.
#[tokio::test]
#[ignore = "needs a real kubelet: K8S_KUBELET_PID, K8S_ADMIN_CERT, K8S_ADMIN_KEY, K8S_CA"]
async fn a_real_kubelet_in_its_own_namespaces() {
    let var = |name: &str| std::env::var(name).unwrap();
    let pid = KubeletPid::new(Some(var("K8S_KUBELET_PID").parse().unwrap()));
    let port = |config: &KubeletConfig, url: &str| {
        let config = KubeletConfig { url: Some(url.to_owned()), ..config.clone() };
        Kubelet::new(config, var("K8S_NODE"), pid.clone())
    };

    // Its configuration file names the read-only port, which only its own namespace has.
    let (source, looked) = Kubelet::new(KubeletConfig::default(), var("K8S_NODE"), pid.clone()).look().await;
    assert_eq!(source.name(), "kubelet http://127.0.0.1:10255/pods");
    let (plain, remark) = looked.into_parts();
    assert!(!plain.probes.is_empty() && remark.is_none(), "{plain:?} {remark:?}");

    let anyone = KubeletConfig::default();
    let (_, looked) = port(&anyone, "https://127.0.0.1:10250").look().await;
    assert!(looked.is_bad(SourceState::Denied) || !looked.into_parts().0.probes.is_empty());

    let admin = KubeletConfig {
        client_certificate: Some(var("K8S_ADMIN_CERT").into()),
        client_key: Some(var("K8S_ADMIN_KEY").into()),
        ..KubeletConfig::default()
    };
    let (_, looked) = port(&admin, "https://127.0.0.1:10250").look().await;
    let (unverified, remark) = looked.into_parts();
    assert_eq!(unverified.probes, plain.probes);
    assert!(remark.unwrap().contains("not verified"));

    let verifying = KubeletConfig { ca: Some(var("K8S_CA").into()), ..admin.clone() };
    let (_, looked) = port(&verifying, "https://10.10.0.1:10250").look().await;
    let (verified, remark) = looked.into_parts();
    assert_eq!((verified.probes, remark), (plain.probes, None));

    let stranger = KubeletConfig { ca: admin.client_certificate.clone(), ..admin };
    let (_, looked) = port(&stranger, "https://10.10.0.1:10250").look().await;
    assert!(looked.into_parts().1.unwrap().contains("invalid peer certificate"));

    let no_token = KubeletConfig { token_file: Some(var("K8S_CA").into()), ..KubeletConfig::default() };
    let (_, looked) = port(&no_token, "https://10.10.0.1:10250").look().await;
    assert!(looked.into_parts().1.is_some());
}
