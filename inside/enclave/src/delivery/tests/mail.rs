//! Mail submission, against a server whose replies a test may change and which remembers every line it was told.

use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::super::carrier::{Carrier, Failure};
use super::*;
use crate::egress::{EgressError, TrustRefusal};

/// Replies by verb, in place of the usual ones.
type Replies = &'static [(&'static str, &'static str)];

struct Again {
    verb: &'static str,
    reply: &'static str,
    /// Whether it was told it on any connection, or on this one.
    on_any: bool,
}

#[derive(Default)]
struct MailServer {
    starttls: bool,
    replies: Replies,
    /// It closes a connection, without a word, when it is told this for the second time there.
    closes_at: Option<&'static str>,
    /// What it replies to this when it was told it before.
    again: Option<Again>,
    /// Lines as they came, each after `clear:` or `tls:` and the connection's number.
    told: Mutex<Vec<String>>,
    mails: Mutex<Vec<String>>,
}

impl MailServer {
    async fn start(starttls: bool, replies: Replies, acceptor: TlsAcceptor) -> (Arc<Self>, SocketAddr) {
        Self { starttls, replies, ..Self::default() }.serve(acceptor).await
    }

    async fn serve(self, acceptor: TlsAcceptor) -> (Arc<Self>, SocketAddr) {
        let (listener, address) = listen().await;
        let server = Arc::new(self);
        let started = Arc::clone(&server);
        tokio::spawn(async move {
            for connection in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (server, acceptor) = (Arc::clone(&server), acceptor.clone());
                tokio::spawn(async move {
                    if server.starttls && !server.talk(&mut stream, &format!("clear:{connection}"), true).await {
                        return;
                    }
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    server.talk(&mut stream, &format!("tls:{connection}"), !server.starttls).await;
                });
            }
        });
        (started, address)
    }

    /// Talks until the end, or until TLS is to begin, which is `true`.
    async fn talk(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), wire: &str, greets: bool) -> bool {
        // One byte at a time, so that TLS's first bytes are left for TLS.
        let mut stream = BufReader::with_capacity(1, stream);
        if greets {
            say(&mut stream, "220 mail").await;
        }
        loop {
            let Some(line) = line(&mut stream).await else { return false };
            let verb = line.split([' ', ':']).next().unwrap_or_default();
            let again = self.told().iter().any(|told| told.starts_with(&format!("{wire} {verb}")));
            let before = self.told().iter().any(|told| told.split([' ', ':']).nth(2) == Some(verb));
            self.told.lock().unwrap().push(format!("{wire} {line}"));
            if again && self.closes_at == Some(verb) {
                return false;
            }
            let usual = match verb {
                "EHLO" if wire.starts_with("clear") => "250-mail\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS",
                "EHLO" => "250-mail\r\n250 AUTH PLAIN LOGIN",
                "DATA" => "354 go",
                "AUTH" => "235 in",
                "STARTTLS" => "220 go",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            let changed = self.replies.iter().find(|(changed, _)| *changed == verb);
            let changed = changed.map_or(usual, |(_, reply)| reply);
            let repeated =
                self.again.as_ref().filter(|row| row.verb == verb && if row.on_any { before } else { again });
            let reply = repeated.map_or(changed, |row| row.reply);
            say(&mut stream, reply).await;
            match verb {
                "STARTTLS" => return reply.starts_with("220"),
                "QUIT" => return false,
                "DATA" if reply.starts_with("354") => {
                    let mut mail = String::new();
                    while let Some(line) = line_of(&mut stream).await {
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    let end = self.replies.iter().find(|(verb, _)| *verb == ".").map_or("250 taken", |(_, end)| end);
                    say(&mut stream, end).await;
                }
                _ => {}
            }
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), reply: &str) {
    let _ = stream.write_all(format!("{reply}\r\n").as_bytes()).await;
    let _ = stream.flush().await;
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    Some(line.strip_suffix("\r\n")?.to_owned())
}

/// A line of the mail; `None` at the point that ends it.
async fn line_of(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    line(stream).await.filter(|line| line != ".")
}

const TO: &str = "person@example.org";

fn smtp(tls: SmtpTls) -> RouteKind {
    RouteKind::Smtp { tls, from: "Example <codes@example.com>".into() }
}

fn credential(plaintext: &[u8]) -> Arc<Credential> {
    Arc::new(Credential::parse(&smtp(SmtpTls::Implicit), plaintext).unwrap())
}

/// AUTH PLAIN of `user:password`.
const AUTH: &str = "AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=";

async fn handed(tls: SmtpTls, replies: Replies) -> (Result<(), Failure>, Arc<MailServer>) {
    let identity = identity();
    let (server, address) = MailServer::start(tls == SmtpTls::StartTls, replies, identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&smtp(tls), identity.trust);
    (carrier.hand_over(&letter(TO), &credential(b"user:password")).await, server)
}

#[tokio::test]
async fn implicit_tls() {
    let (handed, server) = handed(SmtpTls::Implicit, &[]).await;
    assert_eq!(handed, Ok(()));
    let expected = ["EHLO example.com", AUTH, "MAIL FROM:<codes@example.com>", "RCPT TO:<person@example.org>", "DATA"];
    assert_eq!(server.told(), expected.map(|line| format!("tls:0 {line}")));
}

#[tokio::test]
async fn starttls_says_ehlo_twice_and_auth_inside_only() {
    let (handed, server) = handed(SmtpTls::StartTls, &[]).await;
    assert_eq!(handed, Ok(()));
    let expected = [
        "clear:0 EHLO example.com",
        "clear:0 STARTTLS",
        "tls:0 EHLO example.com",
        &format!("tls:0 {AUTH}"),
        "tls:0 MAIL FROM:<codes@example.com>",
        "tls:0 RCPT TO:<person@example.org>",
        "tls:0 DATA",
    ];
    assert_eq!(server.told(), expected);
}

#[tokio::test]
async fn a_stripped_or_refused_starttls_is_fatal() {
    let not_offered = Err(Failure::Transport(EgressError::Tls(TrustRefusal::NotOffered)));
    let (handed_over, server) = handed(SmtpTls::StartTls, &[("EHLO", "250-mail\r\n250 AUTH PLAIN LOGIN")]).await;
    assert_eq!(handed_over, not_offered);
    assert_eq!(server.told(), ["clear:0 EHLO example.com"]);
    let (handed_over, server) = handed(SmtpTls::StartTls, &[("STARTTLS", "502 no")]).await;
    assert_eq!(handed_over, not_offered);
    assert_eq!(server.told(), ["clear:0 EHLO example.com", "clear:0 STARTTLS"]);
    // Somebody says more than the reply, for it to be taken as said inside TLS: no handshake comes of that.
    let (handed_over, server) = handed(SmtpTls::StartTls, &[("STARTTLS", "220 go\r\n250 AUTH LOGIN")]).await;
    assert_eq!(handed_over, Err(Failure::Transport(EgressError::Tls(TrustRefusal::Handshake))));
    assert_eq!(server.told(), ["clear:0 EHLO example.com", "clear:0 STARTTLS"]);
}

#[tokio::test]
async fn another_certificate_is_told_nothing() {
    for tls in [SmtpTls::Implicit, SmtpTls::StartTls] {
        let (server, address) = MailServer::start(tls == SmtpTls::StartTls, &[], identity().acceptor).await;
        let world = World::new(address);
        let carrier = world.carrier(&smtp(tls), identity().trust);
        let handed = carrier.hand_over(&letter(TO), &credential(b"user:password")).await;
        assert_eq!(handed, Err(Failure::Transport(EgressError::Tls(TrustRefusal::Issuer))));
        assert!(server.told().iter().all(|line| line.starts_with("clear:")));
    }
}

#[tokio::test]
async fn replies_have_their_class() {
    for (replies, expected) in [
        (&[("AUTH", "535 credentials refused")] as Replies, Err(Failure::Sender)),
        (&[("AUTH", "454 later")], Err(Failure::SenderForNow)),
        (&[("EHLO", "250 mail")], Err(Failure::Sender)),
        (&[("EHLO", "250-mail\r\n250 AUTH XOAUTH2")], Err(Failure::Sender)),
        (&[("MAIL", "550 not you")], Err(Failure::Sender)),
        (&[("RCPT", "550 5.1.1 no such mailbox")], Err(Failure::Recipient)),
        (&[("RCPT", "550 no such mailbox")], Err(Failure::PerhapsRecipient)),
        (&[("RCPT", "550 5.7.1 relaying denied")], Err(Failure::Sender)),
        (&[("RCPT", "451 greylisted")], Err(Failure::Busy(None))),
        (&[("RCPT", "454 4.7.1 relay access denied")], Err(Failure::SenderForNow)),
        (&[("RCPT", "552 5.2.2 full")], Err(Failure::Recipient)),
        (&[(".", "554 5.2.2 submission quota exceeded")], Err(Failure::PerhapsSender)),
        (&[(".", "554 5.2.0 SendAsDenied")], Err(Failure::PerhapsSender)),
        (&[("RCPT", "550 5.1.90 daily limit")], Err(Failure::Sender)),
        (&[("DATA", "421 closing")], Err(Failure::Busy(None))),
        (&[(".", "554 looks like spam")], Err(Failure::NotThisRoute)),
        (&[(".", "550 5.4.5 daily quota")], Err(Failure::Sender)),
        (&[(".", "452 full")], Err(Failure::Busy(None))),
        (&[(".", "who are you?")], Err(Failure::Unconfirmed)),
        (&[("RCPT", "who are you?")], Err(Failure::Transport(EgressError::Protocol))),
    ] {
        assert_eq!(handed(SmtpTls::Implicit, replies).await.0, expected, "{replies:?}");
    }
}

#[tokio::test]
async fn what_refuses_the_password_sees_no_mail() {
    let (_, server) = handed(SmtpTls::Implicit, &[("AUTH", "535 credentials refused")]).await;
    assert_eq!(server.told()[..2], ["tls:0 EHLO example.com".to_owned(), format!("tls:0 {AUTH}")]);
    assert!(server.told()[2..].iter().all(|line| line == "tls:0 QUIT"));
    // A server that offers no way to authenticate sees neither.
    let (_, server) = handed(SmtpTls::Implicit, &[("EHLO", "250 mail")]).await;
    assert_eq!(server.told()[0], "tls:0 EHLO example.com");
    assert!(server.told()[1..].iter().all(|line| line == "tls:0 QUIT"));
}

#[tokio::test]
async fn login_is_spoken_where_plain_is_not() {
    let replies: Replies = &[
        ("EHLO", "250-mail\r\n250 AUTH LOGIN"),
        ("AUTH", "334 VXNlcm5hbWU6"),
        ("dXNlcg==", "334 UGFzc3dvcmQ6"),
        ("cGFzc3dvcmQ=", "235 in"),
    ];
    let (handed, server) = handed(SmtpTls::Implicit, replies).await;
    assert_eq!(handed, Ok(()));
    assert_eq!(server.told()[1..4], ["tls:0 AUTH LOGIN", "tls:0 dXNlcg==", "tls:0 cGFzc3dvcmQ="]);
}

#[tokio::test]
async fn the_code_stands_in_the_body_only() {
    let (_, server) = handed(SmtpTls::Implicit, &[]).await;
    let mail = server.mails.lock().unwrap()[0].clone();
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(!head.contains("975310"), "{head}");
    let header = |name: &str| {
        let found: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect();
        assert_eq!(found.len(), 1, "{name} in {head}");
        found[0].to_owned()
    };
    assert_eq!(header("From"), "Example <codes@example.com>");
    assert_eq!(header("To"), "person@example.org");
    assert_eq!(header("Subject"), "Your Example verification");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("MIME-Version"), "1.0");
    assert!(header("Date").ends_with("+0000"));
    let (id, domain) = header("Message-ID").split_once('@').map(|(id, rest)| (id.to_owned(), rest.to_owned())).unwrap();
    assert_eq!((id.len(), domain.as_str()), (33, "example.com>"));
    assert!(header("Content-Type").starts_with("multipart/alternative;"));
    let parts = ["Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"];
    let places = parts.map(|part| body.find(part).unwrap());
    assert!(places[0] < places[1], "plain first (RFC 2046 §5.1.4)");
    assert!(body[places[0]..places[1]].contains("code is: 975310"));
    // Quoted-printable, for it is not ASCII.
    assert!(body[places[1]..].contains("Code f=C3=BCr Example: <b>975310</b>"), "{body}");
}

#[tokio::test]
async fn a_connection_is_kept_for_its_credential() {
    let identity = identity();
    let (server, address) = MailServer::start(false, &[], identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&smtp(SmtpTls::Implicit), identity.trust);
    let (one, other) = (credential(b"user:password"), credential(b"other:password"));
    for credential in [&one, &one, &other] {
        assert_eq!(carrier.hand_over(&letter(TO), credential).await, Ok(()));
    }
    let of = |verb: &str| -> Vec<String> {
        server.told().iter().filter(|line| line.contains(verb)).map(|line| line[..5].to_owned()).collect()
    };
    assert_eq!(
        (of(" MAIL "), of(" AUTH ")),
        (vec!["tls:0".into(), "tls:0".into(), "tls:1".into()], vec!["tls:0".into(), "tls:1".into()])
    );
}

#[tokio::test]
async fn a_kept_connection_that_breaks_before_the_final_point_is_replaced_at_once() {
    for closes_at in ["MAIL", "RCPT", "DATA"] {
        let identity = identity();
        let server = MailServer { closes_at: Some(closes_at), ..MailServer::default() };
        let (server, address) = server.serve(identity.acceptor).await;
        let world = World::new(address);
        let carrier = world.carrier(&smtp(SmtpTls::Implicit), identity.trust);
        let credential = credential(b"user:password");
        for _ in 0..2 {
            assert_eq!(carrier.hand_over(&letter(TO), &credential).await, Ok(()), "{closes_at}");
        }
        let hellos = server.told().iter().filter(|line| line.contains("EHLO")).count();
        assert_eq!((hellos, server.mails.lock().unwrap().len()), (2, 2), "{closes_at}");
    }
}

/// How two hand-overs in a row end, how many connections there were, and how many mails.
async fn handed_twice(verb: &'static str, reply: &'static str, on_any: bool) -> (Result<(), Failure>, usize, usize) {
    let identity = identity();
    let server = MailServer { again: Some(Again { verb, reply, on_any }), ..MailServer::default() };
    let (server, address) = server.serve(identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&smtp(SmtpTls::Implicit), identity.trust);
    let credential = credential(b"user:password");
    assert_eq!(carrier.hand_over(&letter(TO), &credential).await, Ok(()), "{verb}: {reply}");
    let second = carrier.hand_over(&letter(TO), &credential).await;
    let hellos = server.told().iter().filter(|line| line.contains("EHLO")).count();
    (second, hellos, server.mails.lock().unwrap().len())
}

#[tokio::test]
async fn refusal_on_kept_connection_is_decided_by_fresh_one() {
    for (verb, reply) in [
        ("MAIL", "503 nested MAIL"),
        ("MAIL", "550 5.7.0 too many messages this session"),
        ("MAIL", "530 5.7.0 authentication required"),
        ("MAIL", "500 what?"),
        ("MAIL", "452 4.5.3 too many messages"),
        ("MAIL", "421 4.4.2 idle for too long"),
        ("RCPT", "421 4.7.0 closing"),
        ("RCPT", "503 5.5.1 MAIL first"),
        ("RCPT", "550 5.7.0 too many messages this session"),
        ("RCPT", "550 too many recipients this session"),
        ("DATA", "503 5.5.1 no valid recipients"),
        ("DATA", "421 closing"),
    ] {
        assert_eq!(handed_twice(verb, reply, false).await, (Ok(()), 2, 2), "{verb}: {reply}");
    }
    // The fresh one refuses as well.
    for (verb, reply, expected) in [
        ("MAIL", "550 5.7.0 too many messages today", Failure::Sender),
        ("MAIL", "452 4.5.3 too many messages", Failure::Busy(None)),
        ("RCPT", "550 no such mailbox", Failure::PerhapsRecipient),
        ("DATA", "554 5.5.1 no valid recipients", Failure::NotThisRoute),
    ] {
        assert_eq!(handed_twice(verb, reply, true).await, (Err(expected), 2, 1), "{verb}: {reply}");
    }
    // What concerns the recipient, or asks to come back later, is not asked twice.
    for (verb, reply, expected) in [
        ("RCPT", "550 5.1.1 no such mailbox", Failure::Recipient),
        ("RCPT", "450 4.7.1 greylisted", Failure::SenderForNow),
        ("RCPT", "450 4.2.0 greylisted", Failure::Busy(None)),
    ] {
        assert_eq!(handed_twice(verb, reply, false).await, (Err(expected), 1, 1), "{verb}: {reply}");
    }
}

#[tokio::test]
async fn every_repeat_is_the_same_mail() {
    let identity = identity();
    let (server, address) = MailServer::start(false, &[(".", "451 later")], identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&smtp(SmtpTls::Implicit), identity.trust);
    for _ in 0..3 {
        let handed = carrier.hand_over(&letter(TO), &credential(b"user:password")).await;
        assert_eq!(handed, Err(Failure::Busy(None)));
    }
    let mails = server.mails.lock().unwrap();
    let id = |mail: &String| mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    assert_eq!(mails.iter().map(id).collect::<Vec<_>>(), vec![id(&mails[0]); 3]);
}

#[tokio::test]
async fn what_is_no_mail_address_is_refused() {
    let identity = identity();
    let (server, address) = MailServer::start(false, &[], identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&smtp(SmtpTls::Implicit), identity.trust);
    let twice = "person@example.org\r\nRCPT TO:<other@example.org>";
    for to in ["+15550100123", "person", twice, "\"a>b\"@example.org", "b\u{fc}cher@example.org", ""] {
        let handed = carrier.hand_over(&letter(to), &credential(b"user:password")).await;
        assert_eq!(handed, Err(Failure::Recipient), "{to:?}");
    }
    assert!(server.told().is_empty());
}

/// Sends three mails to the server that `e2e/python/test_delivery.py` has started, and says how each ended. The
/// environment names it: `ADYTON_TEST_SMTP` = `implicit` or `starttls`, address, path of the CA's PEM, and user:password,
/// separated by tabs.
#[tokio::test]
#[ignore = "needs a mail server"]
#[allow(clippy::print_stdout, reason = "its caller reads it")]
async fn against_a_real_server() {
    use rustls::pki_types::pem::PemObject;
    let named = std::env::var("ADYTON_TEST_SMTP").unwrap();
    let [tls, address, ca, login] = named.split('\t').collect::<Vec<_>>().try_into().unwrap();
    let tls = if tls == "implicit" { SmtpTls::Implicit } else { SmtpTls::StartTls };
    let world = World::new(address.parse().unwrap());
    let carrier = world.carrier(&smtp(tls), Trust::Ca(CertificateDer::from_pem_file(ca).unwrap().to_vec()));
    let login = credential(login.as_bytes());
    for to in ["one@example.org", "refused@example.org", "two@example.org"] {
        let letter = Letter { attempt: to.into(), ..letter(to) };
        println!("outcome {to} {:?}", carrier.hand_over(&letter, &login).await);
    }
}
