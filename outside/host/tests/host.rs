//! The binary, from outside: pipes, channels, the dialer. One file of more than 500 lines, because each test starts the same host.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::task::Poll;
use std::time::Duration;

use adyton_frame::{Append, Channel, Event, Frame, Message, RecordBytes, StoreFailure};
use adyton_host::{RedbStore, StoreError};
use adyton_ledger::{Entry, LogId, LogReader, LogStore, Record};
use adyton_transport::{Address, FrameReader, FrameWriter, Listener, Stream, open_channel};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixSocket};
use tokio::time::timeout;

struct Host {
    folder: TempDir,
    child: Child,
    listen: SocketAddr,
    out: BufReader<std::process::ChildStdout>,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, service: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adyton-host"));
    let unix = |name: &str| format!("unix:{}", folder.join(name).display());
    command.args(["--listen", "127.0.0.1:0", "--ingress", &unix("ingress"), "--service", &unix(service)]);
    command.arg("--data").arg(folder.join("data")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Host {
    fn start(arguments: &[&str]) -> Self {
        Self::start_by(arguments, |command| command)
    }

    /// Starts the command that `change` makes of the usual one.
    fn start_by(arguments: &[&str], change: impl FnOnce(Command) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut usual = command(folder.path(), "service");
        usual.args(arguments);
        let mut child = change(usual).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let ready = line(&mut out);
        let listen = ready["listen"].as_str().unwrap().parse().unwrap();
        assert_eq!(ready["service"], format!("unix:{}", folder.path().join("service").display()));
        Self { folder, child, listen, out }
    }

    fn service(&self) -> Address {
        Address::Unix(self.folder.path().join("service"))
    }

    fn enclave(&self) -> Listener {
        Listener::bind(&Address::Unix(self.folder.path().join("ingress"))).unwrap()
    }

    async fn dial(&self) -> Stream {
        open_channel(&self.service(), Channel::Dial).await.unwrap()
    }
}

fn line(out: &mut impl BufRead) -> serde_json::Value {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

async fn ask(stream: &mut Stream, id: u64, message: Message) -> Option<Frame> {
    FrameWriter::new(&mut *stream).write(&Frame { id, message }).await.unwrap();
    FrameReader::new(stream).read().await.ok().flatten()
}

fn append(log: u16) -> Message {
    let record = RecordBytes { entry: [7; 176], hot: Some(b"sealed".to_vec()), kept: None };
    Message::Append(Append { log, expected_size: 0, record, head: "head".into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_each_way_and_half_closes() {
    let host = Host::start(&[]);
    let enclave = host.enclave();
    let inside = tokio::spawn(async move {
        let mut stream = enclave.accept().await.unwrap();
        let mut got = Vec::new();
        // The client's end arrives while this direction stays open.
        stream.read_to_end(&mut got).await.unwrap();
        stream.write_all(&vec![2; 1 << 20]).await.unwrap();
        stream.shutdown().await.unwrap();
        got
    });
    let mut client = TcpStream::connect(host.listen).await.unwrap();
    client.write_all(&vec![1; 1 << 20]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    assert!(got == vec![2; 1 << 20]);
    assert!(inside.await.unwrap() == vec![1; 1 << 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_enclave_the_client_is_let_go() {
    let host = Host::start(&[]);
    let mut client = TcpStream::connect(host.listen).await.unwrap();
    // An end or a reset, at once.
    assert!(!matches!(client.read(&mut [0]).await, Ok(count) if count > 0));
}

/// Whether a client is there for the enclave at this moment.
async fn somebody_comes(enclave: &Listener) -> bool {
    let mut accepted = pin!(enclave.accept());
    poll_fn(|context| Poll::Ready(accepted.as_mut().poll(context).is_ready())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_limit_clients_wait_for_a_place() {
    const CLIENTS: u8 = 40;
    let host = Host::start(&["--max-connections", "2"]);
    let enclave = host.enclave();
    for number in 0..CLIENTS {
        let mut client = TcpStream::connect(host.listen).await.unwrap();
        client.write_all(&[number]).await.unwrap();
        // A place is free once both directions have ended.
        tokio::spawn(async move { client.read_to_end(&mut Vec::new()).await });
    }
    let (mut open, mut served) = (VecDeque::new(), BTreeSet::new());
    for _ in 0..CLIENTS {
        if open.len() == 2 {
            assert!(!somebody_comes(&enclave).await, "a third client at once");
            open.pop_front();
        }
        let mut client = timeout(Duration::from_secs(10), enclave.accept()).await.unwrap().unwrap();
        served.insert(client.read_u8().await.unwrap());
        open.push_back(client);
    }
    assert_eq!(served, (0..CLIENTS).collect());
}

/// The enclave keeps idle connections for two minutes: clients that wait for a place do not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn over_the_limit_the_connection_that_is_quiet_longest_makes_room() {
    let host = Host::start(&["--max-connections", "2"]);
    let enclave = host.enclave();
    let mut pairs = Vec::new();
    for number in 0..2 {
        let mut client = TcpStream::connect(host.listen).await.unwrap();
        client.write_all(&[number]).await.unwrap();
        let mut inside = enclave.accept().await.unwrap();
        assert_eq!(inside.read_u8().await.unwrap(), number);
        pairs.push((client, inside));
    }
    // The second one is answered; the first one still waits for its answer.
    pairs[1].1.write_all(b"answer").await.unwrap();
    pairs[1].0.read_exact(&mut [0; 6]).await.unwrap();
    let mut third = TcpStream::connect(host.listen).await.unwrap();
    third.write_all(&[2]).await.unwrap();
    let mut inside = timeout(Duration::from_secs(60), enclave.accept()).await.unwrap().unwrap();
    assert_eq!(inside.read_u8().await.unwrap(), 2);
    assert_eq!(pairs[1].0.read(&mut [0]).await.unwrap(), 0, "its client sees the end");
    assert_eq!(pairs[1].1.read(&mut [0]).await.unwrap(), 0, "and so does the enclave");
    pairs[0].1.write_all(b"late").await.unwrap();
    pairs[0].0.read_exact(&mut [0; 4]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_of_clients_waits_for_the_enclaves_queue() {
    let host = Host::start(&[]);
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(host.folder.path().join("ingress")).unwrap();
    let enclave = socket.listen(1).unwrap();
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = TcpStream::connect(host.listen).await.unwrap();
        client.write_all(&[number]).await.unwrap();
        clients.push(client);
    }
    let mut arrived = Vec::new();
    for _ in 0..20 {
        let (mut client, _) = timeout(Duration::from_secs(10), enclave.accept()).await.unwrap().unwrap();
        arrived.push(client.read_u8().await.unwrap());
    }
    arrived.sort_unstable();
    assert_eq!(arrived, (0..20).collect::<Vec<u8>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_leave_descriptors_to_what_serves_them() {
    let host = Host::start_by(&[], |usual| {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -n 600 && exec \"$0\" \"$@\""]).arg(usual.get_program()).args(usual.get_args());
        limited.stdout(Stdio::piped()).stderr(Stdio::piped());
        limited
    });
    let enclave = host.enclave();
    // More than there are descriptors for; 44 have a place, each with two, and the others wait for one.
    let mut clients = Vec::new();
    for _ in 0..320 {
        clients.push(TcpStream::connect(host.listen).await.unwrap());
    }
    let mut inside = Vec::new();
    for _ in 0..44 {
        inside.push(timeout(Duration::from_secs(10), enclave.accept()).await.unwrap().unwrap());
    }
    let mut channels = Vec::new();
    for _ in 0..64 {
        assert!(!somebody_comes(&enclave).await, "a client has a place beyond the 44");
        channels.push(host.dial().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn append_then_store_then_inspect() {
    let host = Host::start(&[]);
    let mut channel = open_channel(&host.service(), Channel::Append).await.unwrap();
    let appended = Frame { id: 5, message: Message::Appended { size: 1 } };
    assert_eq!(ask(&mut channel, 5, append(1)).await, Some(appended));
    let status = Message::StatusIs { size: 1, latest_snapshot: None, head: "head".into() };
    for channel in [Channel::Store, Channel::Inspect] {
        let mut channel = open_channel(&host.service(), channel).await.unwrap();
        let got = ask(&mut channel, 6, Message::Status { log: 1 }).await;
        assert_eq!(got, Some(Frame { id: 6, message: status.clone() }));
    }
    // Requests may be pipelined; replies come in order.
    let mut store = open_channel(&host.service(), Channel::Store).await.unwrap();
    let mut sent = Vec::new();
    let snapshot = [3; 16];
    let put = Message::PutChunk { log: 1, snapshot, number: 0, bytes: b"chunk".to_vec() };
    let get = |number| Message::GetChunk { log: 1, snapshot, number };
    for (id, message) in [(1, put), (2, get(0)), (3, get(1)), (4, Message::Status { log: 1 })] {
        Frame { id, message }.encode(&mut sent).unwrap();
    }
    store.write_all(&sent).await.unwrap();
    let mut replies = FrameReader::new(store);
    for (id, message) in
        [(1, Message::Done), (2, Message::Chunk(b"chunk".to_vec())), (3, Message::Missing), (4, status)]
    {
        assert_eq!(replies.read().await.unwrap(), Some(Frame { id, message }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_handed_over_as_they_are() {
    let host = Host::start(&[]);
    let approvals = host.folder.path().join("data/approvals");
    std::fs::create_dir(&approvals).unwrap();
    std::fs::write(approvals.join("2.json"), b"{not json").unwrap();
    std::fs::write(approvals.join("3.json"), vec![b' '; 768 * 1024]).unwrap();
    std::fs::write(approvals.join("4.json"), vec![b' '; 768 * 1024 + 1]).unwrap();
    std::fs::create_dir(approvals.join("5.json")).unwrap();
    let mut store = open_channel(&host.service(), Channel::Store).await.unwrap();
    let failed = || Message::StoreFailed { reason: StoreFailure::Io };
    for (release, expected) in [
        (1, Message::Missing),
        (2, Message::ApprovalIs(b"{not json".to_vec())),
        (3, Message::ApprovalIs(vec![b' '; 768 * 1024])),
        (4, failed()),
        (5, failed()),
        (u64::MAX, Message::Missing),
    ] {
        let got = ask(&mut store, release, Message::Approval { release }).await;
        assert_eq!(got, Some(Frame { id: release, message: expected }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_another_channel_ends_the_connection() {
    let host = Host::start(&[]);
    let put = || Message::PutChunk { log: 1, snapshot: [0; 16], number: 0, bytes: vec![1] };
    let retire = Message::Retire { log: 1, below: u64::MAX, bucket: u64::MAX, snapshot: [0; 16], boot_id: [0; 16] };
    let get = Message::GetChunk { log: 1, snapshot: [0; 16], number: 0 };
    for (channel, message) in [
        (Channel::Inspect, append(1)),
        (Channel::Inspect, put()),
        (Channel::Inspect, get),
        (Channel::Inspect, retire),
        (Channel::Inspect, Message::Approval { release: 2 }),
        (Channel::Store, append(1)),
        (Channel::Store, Message::Event(Event::StoreLost { log: 1 })),
        (Channel::Append, Message::Status { log: 1 }),
        (Channel::Append, put()),
        (Channel::Events, append(1)),
        (Channel::Store, Message::Appended { size: 1 }),
    ] {
        let mut stream = open_channel(&host.service(), channel).await.unwrap();
        assert_eq!(ask(&mut stream, 1, message.clone()).await, None, "{channel:?} {message:?}");
    }
    let mut stream = open_channel(&host.service(), Channel::Inspect).await.unwrap();
    let empty = Message::StatusIs { size: 0, latest_snapshot: None, head: String::new() };
    let got = ask(&mut stream, 1, Message::Status { log: 1 }).await;
    assert_eq!(got, Some(Frame { id: 1, message: empty }), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_lines() {
    let mut host = Host::start(&[]);
    let mut stream = open_channel(&host.service(), Channel::Events).await.unwrap();
    let event = Event::Ready { replayed: 12, micros: 34 };
    FrameWriter::new(&mut stream).write(&Frame { id: 0, message: Message::Event(event) }).await.unwrap();
    assert_eq!(line(&mut host.out), serde_json::json!({ "event": "ready", "replayed": 12, "micros": 34 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_reads_hold_up_nothing_else() {
    /// What a pipe of Linux holds, by pages of which the last may be begun only.
    const PIPE: u64 = 64 * 1024;
    const PAGE: u64 = 4096;
    let mut host = Host::start(&[]);
    // Far more than a pipe holds, on more connections than there are threads to block.
    let mut lines = Vec::new();
    for id in 0..5000 {
        Frame { id, message: Message::Event(Event::StoreLost { log: 1 }) }.encode(&mut lines).unwrap();
    }
    let mut senders = Vec::new();
    for _ in 0..std::thread::available_parallelism().unwrap().get() * 2 {
        let mut stream = open_channel(&host.service(), Channel::Events).await.unwrap();
        let lines = lines.clone();
        senders.push(tokio::spawn(async move { drop(stream.write_all(&lines).await) }));
    }
    // The pipe is full; every line more is stuck in a write of the host.
    while rustix::io::ioctl_fionread(host.out.get_ref()).unwrap() < PIPE - PAGE {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Each question gives the host another occasion to be held up.
    let mut inspect = open_channel(&host.service(), Channel::Inspect).await.unwrap();
    for id in 0..100 {
        let asked = timeout(Duration::from_secs(10), ask(&mut inspect, id, Message::Status { log: 1 })).await;
        assert!(asked.unwrap().is_some());
    }
    let mut channel = open_channel(&host.service(), Channel::Append).await.unwrap();
    let appended = Frame { id: 5, message: Message::Appended { size: 1 } };
    let asked = timeout(Duration::from_secs(10), ask(&mut channel, 5, append(1))).await;
    assert_eq!(asked.unwrap(), Some(appended));
    let pid = rustix::process::Pid::from_child(&host.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let stopped = tokio::task::spawn_blocking(move || host.child.wait().unwrap().success());
    assert!(timeout(Duration::from_secs(10), stopped).await.unwrap().unwrap());
    senders.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn socks(stream: &mut Stream, command: u8, target: &[u8], port: u16) -> u8 {
    stream.write_all(&[5, 1, 0]).await.unwrap();
    let mut method = [0; 2];
    stream.read_exact(&mut method).await.unwrap();
    assert_eq!(method, [5, 0]);
    stream.write_all(&[&[5, command, 0], target, &port.to_be_bytes()].concat()).await.unwrap();
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!((reply[0], reply[3]), (5, 1));
    reply[1]
}

fn name(name: &str) -> Vec<u8> {
    [&[3, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dialer_follows_routes_and_pipes() {
    let carrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let route = format!("carrier.invalid:443={}", carrier.local_addr().unwrap());
    let host = Host::start(&["--route", &route]);
    let mut stream = host.dial().await;
    assert_eq!(socks(&mut stream, 1, &name("Carrier.invalid"), 443).await, 0);
    let (mut there, _) = carrier.accept().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut got = Vec::new();
    there.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"hello");
    there.write_all(b"answer").await.unwrap();
    drop(there);
    got.clear();
    stream.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_service_is_dialled_by_its_address() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host::start(&["--route", &format!("169.254.169.254:80={}", service.local_addr().unwrap())]);
    let mut stream = host.dial().await;
    assert_eq!(socks(&mut stream, 1, &[1, 169, 254, 169, 254], 80).await, 0);
    let (mut there, _) = service.accept().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut got = Vec::new();
    there.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dialer_takes_names_and_connect_only() {
    let reachable = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = reachable.local_addr().unwrap().port();
    let host = Host::start(&[]);
    let (unsupported_type, unsupported_command) = (8, 7);
    let v6 = [&[4][..], &[0; 15], &[1]].concat();
    for target in [&[1, 127, 0, 0, 1][..], &v6] {
        assert_eq!(socks(&mut host.dial().await, 1, target, port).await, unsupported_type, "{target:?}");
    }
    // The neighbours of the one address that is dialled, and its text.
    for (target, port) in [
        (&[1, 169, 254, 169, 254][..], 81),
        (&[1, 169, 254, 169, 253], 80),
        (&[1, 169, 254, 170, 2], 80),
        (&name("169.254.169.254"), 80),
        (&[&[4][..], &[0; 10], &[0xFF, 0xFF, 169, 254, 169, 254]].concat(), 80),
    ] {
        assert_eq!(socks(&mut host.dial().await, 1, target, port).await, unsupported_type, "{target:?}");
    }
    // A resolver would take each of these for an address.
    for text in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "127.0.0.1.", "[::1]", "", "."] {
        assert_eq!(socks(&mut host.dial().await, 1, &name(text), port).await, unsupported_type, "{text}");
    }
    for command in [2, 3] {
        let mut stream = host.dial().await;
        assert_eq!(socks(&mut stream, command, &name("carrier.example"), port).await, unsupported_command);
    }
    // Without an offer of "no authentication" there is nothing to agree on.
    let mut stream = host.dial().await;
    stream.write_all(&[5, 1, 2]).await.unwrap();
    let mut method = [0; 2];
    stream.read_exact(&mut method).await.unwrap();
    assert_eq!(method, [5, 0xFF]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_has_its_reply() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let host = Host::start(&["--route", &format!("carrier.invalid:443={closed}")]);
    assert_eq!(socks(&mut host.dial().await, 1, &name("carrier.invalid"), 443).await, 5);
    // A label is at most 63 bytes, so no resolver asks anyone for this name.
    let unknown = format!("{}.invalid", "a".repeat(64));
    assert_eq!(socks(&mut host.dial().await, 1, &name(&unknown), 443).await, 4);
}

#[test]
fn a_second_host_on_the_folder_is_refused() {
    let host = Host::start(&[]);
    let second = command(host.folder.path(), "other").output().unwrap();
    assert!(!second.status.success());
    assert!(second.stdout.is_empty());
    let data = host.folder.path().join("data");
    let says =
        format!("adyton-host: {} is in use by another process: stop it, or name another folder\n", data.display());
    assert_eq!(String::from_utf8(second.stderr).unwrap(), says);
    // It did not disturb the first.
    assert!(data.join("host.addr").exists());
}

#[test]
fn it_stops_when_asked_and_closes_its_file() {
    let mut host = Host::start(&["--die-with-parent"]);
    let address = host.folder.path().join("data/host.addr");
    assert_eq!(std::fs::read_to_string(&address).unwrap(), host.service().to_string());
    let pid = rustix::process::Pid::from_child(&host.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(host.child.wait().unwrap().success());
    assert!(!address.exists());
    RedbStore::open_read_only(&host.folder.path().join("data")).unwrap();
}

#[test]
fn mistakes_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, says) in [
        (&["--route", "nonsense"][..], "NAME:PORT=IP:PORT"),
        (&["--service", "tcp:1"], "unix:PATH"),
        (&["--what"], "--data DIR"),
        (&["--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
        (&["--tiles-ops", "192.0.2.1:1"], "--tiles-ops 192.0.2.1:1: expected a loopback address"),
        (&["--metrics", "192.0.2.1:1"], "--metrics 192.0.2.1:1: expected a loopback address"),
        (&["--max-connections", "0"], "a number from 1 to 4294967295"),
        (&["--max-connections", "18446744073709551615"], "a number from 1 to 4294967295"),
    ] {
        let output = command(folder.path(), "service").args(arguments).output().unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_before_a_kill_can_be_read_but_not_written() {
    let mut host = Host::start(&[]);
    let mut channel = open_channel(&host.service(), Channel::Append).await.unwrap();
    let appended = Frame { id: 1, message: Message::Appended { size: 1 } };
    assert_eq!(ask(&mut channel, 1, append(1)).await, Some(appended));
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    // The file needs a repair, and is for reading only all the same.
    let (data, log) = (host.folder.path().join("data"), LogId::from_number(1));
    let mut store = RedbStore::open_read_only(&data).unwrap();
    assert_eq!(store.status(log).unwrap().size, 1);
    let record = Record { entry: Entry::from_bytes([7; 176]), hot: Some(b"sealed".to_vec()), kept: None };
    assert!(matches!(store.append(log, 1, &record, "head"), Err(StoreError::ReadOnly)));
}
