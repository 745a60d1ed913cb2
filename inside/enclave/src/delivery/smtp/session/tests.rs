//! Whole conversations with a server that is played in memory, in paused time: a wait takes none, and every duration is exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, DuplexStream, duplex};
use tokio::time::sleep;

use super::super::{AFTER_POINT, BEFORE_POINT, authenticated, dots, in_the_clear, taken};
use super::*;
use crate::egress::Metered;

/// A reply to the command that begins with a word; `connect` is the greeting and `.` the final point.
type Replies = &'static [(&'static str, Play)];

/// What the server does.
#[derive(Clone, Copy)]
enum Play {
    /// Says this.
    Say(&'static [u8]),
    /// Waits so long, then says this.
    Late(Duration, &'static [u8]),
    /// Says a byte of this each second, over and over.
    Trickle(&'static [u8]),
    /// Says this over and over, and counts.
    Flood(&'static [u8], &'static [u8]),
    /// Closes the connection after these words.
    Close(&'static [u8]),
}
use Play::{Close, Flood, Late, Say, Trickle};

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    mails: Vec<String>,
    flooded: usize,
}

struct Server {
    replies: Replies,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    async fn serve(self, mut stream: DuplexStream) {
        if self.play(&mut stream, "connect", b"220 mail\r\n").await.is_none() {
            return;
        }
        while let Some(line) = told_line(&mut stream).await {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            // A row may name more than the verb.
            let longer = self.replies.iter().find(|(row, _)| row.contains(' ') && line.starts_with(row));
            let row = longer.map_or(verb.clone(), |(row, _)| (*row).to_owned());
            self.seen.lock().unwrap().lines.push(line);
            let usual: &[u8] = match verb.as_str() {
                "EHLO" => b"250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n",
                "AUTH" => b"235 in\r\n",
                "DATA" => b"354 go\r\n",
                "STARTTLS" => b"220 go\r\n",
                "QUIT" => return,
                _ => b"250 ok\r\n",
            };
            if self.play(&mut stream, &row, usual).await.is_none() {
                return;
            }
            if verb == "DATA" {
                let mut mail = String::new();
                loop {
                    let Some(line) = told_line(&mut stream).await else { return };
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                self.seen.lock().unwrap().mails.push(mail);
                if self.play(&mut stream, ".", b"250 taken\r\n").await.is_none() {
                    return;
                }
            }
        }
    }

    /// `None` if there is nothing more to talk about.
    async fn play(&self, stream: &mut DuplexStream, verb: &str, usual: &'static [u8]) -> Option<()> {
        let changed = self.replies.iter().find(|(changed, _)| *changed == verb);
        match changed.map_or(Say(usual), |(_, play)| *play) {
            Say(reply) => stream.write_all(reply).await.ok(),
            Late(delay, reply) => {
                sleep(delay).await;
                stream.write_all(reply).await.ok()
            }
            Trickle(reply) => {
                for byte in reply.iter().cycle() {
                    stream.write_u8(*byte).await.ok()?;
                    sleep(Duration::from_secs(1)).await;
                }
                None
            }
            Flood(first, again) => {
                stream.write_all(first).await.ok()?;
                while stream.write_all(again).await.is_ok() {
                    self.seen.lock().unwrap().flooded += again.len();
                }
                None
            }
            Close(last) => {
                stream.write_all(last).await.ok()?;
                None
            }
        }
    }
}

async fn told_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned())
}

/// How a hand-over ends that lives so long, and what the server saw.
async fn handed_over(replies: Replies, life: Duration) -> (Result<(), Failure>, Seen) {
    let (near, far) = duplex(16 * 1024);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let server = tokio::spawn(Server { replies, seen: Arc::clone(&seen) }.serve(far));
    let deadline = Instant::now() + life;
    let until = deadline.min(Instant::now() + BEFORE_POINT);
    let handed = async {
        let mut session = Session::new(Metered::played(near, AnswerBudget::MAIL));
        session.greeted(until).await?;
        let (user, password) = (SecretText::join(&["user"]), SecretText::join(&["password"]));
        let mut session = authenticated(session, "example.com", (&user, &password), until).await?;
        let envelope = Envelope { from: "codes@example.com", to: "person@example.org" };
        session.offer(&envelope, until).await?;
        session.message(&dots::stuffed(b"Subject: x\r\n\r\n.code 975310\r\n"), until).await?;
        taken(&mut session, deadline.min(Instant::now() + AFTER_POINT)).await
    };
    // The journey ends with the code: what is known by then must have been said by then.
    let handed = tokio::time::timeout_at(deadline, handed).await.unwrap();
    server.abort();
    let _ = server.await;
    (handed, Arc::into_inner(seen).unwrap().into_inner().unwrap())
}

const LIFE: Duration = Duration::from_secs(600);

/// Every reply that a server may give in another way than most.
#[tokio::test(start_paused = true)]
async fn a_reply_that_is_written_in_another_way_is_read_by_its_code() {
    let replies: [Replies; 21] = [
        &[("connect", Say(b"220 Gr\xFC\xDFe\r\n"))],
        &[("connect", Say(b"220\r\n"))],
        &[("connect", Say(b"220-mail\r\n220-\r\n220\r\n"))],
        &[("EHLO", Say(b"250-Gr\xFC\xDFe\r\n250-X\xE4\r\n250 AUTH PLAIN LOGIN\r\n"))],
        &[("EHLO", Say(b"250-mail\n250 auth=login plain\n"))],
        &[("AUTH", Say(b"235 angemeldet \xE4\r\n"))],
        &[("AUTH", Say(b"235\r\n"))],
        &[("MAIL", Say(b"250 \xE4\r\n"))],
        &[("MAIL", Say(b"250\r\n"))],
        &[("RCPT", Say(b"250 \xE4\r\n"))],
        &[("RCPT", Say(b"251\tforwarded\r\n"))],
        &[("DATA", Say(b"354\r\n"))],
        &[("DATA", Say(b"354 \xE4\n"))],
        &[(".", Say(b"250\r\n"))],
        &[(".", Say(b"250\tqueued\r\n"))],
        &[(".", Say(b"250 queued\n"))],
        &[(".", Say(b"250-queued\r\n250 \xE4\r\n"))],
        &[(".", Say(b"252 taken all the same\r\n"))],
        // What follows the code does not matter, however it ends.
        &[(".", Close(b"250 queued as"))],
        &[(".", Close(b"250"))],
        &[(".", Flood(b"250 ", b"long "))],
    ];
    for (row, replies) in replies.iter().enumerate() {
        let (handed, seen) = handed_over(replies, LIFE).await;
        assert_eq!((handed, seen.mails.len()), (Ok(()), 1), "row {row}");
        assert_eq!(seen.mails[0], "Subject: x\n\n..code 975310\n");
    }
}

fn taken_after(seconds: u64) -> Replies {
    Box::leak(Box::new([(".", Late(Duration::from_secs(seconds), b"250 taken\r\n"))]))
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_to_the_final_point_is_waited_for() {
    let began = Instant::now();
    let twenty = Duration::from_secs(20);
    let (handed, seen) = handed_over(taken_after(20), LIFE).await;
    assert_eq!((handed, seen.mails.len(), began.elapsed()), (Ok(()), 1, twenty));
    // RFC 5321 §4.5.3.2.6: ten minutes.
    let (handed, seen) = handed_over(taken_after(599), 2 * LIFE).await;
    assert_eq!((handed, seen.mails.len()), (Ok(()), 1));
    let began = Instant::now();
    let (handed, _) = handed_over(taken_after(601), 2 * LIFE).await;
    assert_eq!((handed, began.elapsed()), (Err(Failure::Unconfirmed), LIFE));
    // The code has ended by then.
    let began = Instant::now();
    let (handed, _) = handed_over(taken_after(599), 2 * twenty).await;
    assert_eq!((handed, began.elapsed()), (Err(Failure::Unconfirmed), 2 * twenty));
}

#[tokio::test(start_paused = true)]
async fn after_the_final_point_what_has_no_code_may_have_been_taken() {
    let replies: [Replies; 8] = [
        &[(".", Say(b"who are you?\r\n"))],
        &[(".", Say(b"250-queued\r\n550 or not\r\n"))],
        &[(".", Say(b"354 go on\r\n"))],
        &[(".", Close(b""))],
        &[(".", Close(b"25"))],
        &[(".", Flood(b"", b"a"))],
        &[(".", Flood(b"", b"\r\n"))],
        &[(".", Trickle(b"a"))],
    ];
    for (row, replies) in replies.iter().enumerate() {
        let (handed, seen) = handed_over(replies, LIFE).await;
        assert_eq!((handed, seen.mails.len()), (Err(Failure::Unconfirmed), 1), "row {row}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_one_in_any_encoding() {
    let replies: [(Replies, Failure); 5] = [
        (&[(".", Say(b"550 5.1.1 unbekannt: \xE4\r\n"))], Failure::Recipient),
        (&[("RCPT", Say(b"550 unbekannt: \xE4\r\n"))], Failure::PerhapsRecipient),
        (&[("RCPT", Say(b"550 5.7.1 \xE4\r\n"))], Failure::Sender),
        (&[(".", Say(b"452 \xE4\n"))], Failure::Busy(None)),
        (&[(".", Close(b"554 5.2.252 SendAsDenied"))], Failure::NotThisRoute),
    ];
    for (row, (replies, expected)) in replies.into_iter().enumerate() {
        assert_eq!(handed_over(replies, LIFE).await.0, Err(expected), "row {row}");
    }
}

/// What servers say to RCPT of a sender, with a code that they use for unknown mailboxes as well: it must not end the attempt.
#[tokio::test(start_paused = true)]
async fn sender_refusals_without_enhanced_code_leave_other_routes_open() {
    let replies: [&[u8]; 5] = [
        b"550 relay not permitted, authentication required\r\n",
        b"550-Please turn on SMTP Authentication in your mail client, or login to the\r\n\
          550-IMAP/POP3 server before sending your message.  mail.example.net\r\n\
          550 [192.0.2.1]:4711 is not permitted to relay through this server without authentication.\r\n",
        b"550 Sender verify failed\r\n",
        b"550 192.0.2.1 is listed at zen.spamhaus.org\r\n",
        b"552 sender account over quota\r\n",
    ];
    for reply in replies {
        let row: Replies = Box::leak(Box::new([("RCPT", Say(reply))]));
        let (handed, seen) = handed_over(row, LIFE).await;
        assert_eq!((handed, seen.mails.len()), (Err(Failure::PerhapsRecipient), 0), "{}", reply.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_final_point_it_may_be_tried_again() {
    let protocol = Failure::Transport(EgressError::Protocol);
    for stage in ["connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        for play in
            [Say(b"who are you?\r\n"), Say(b"2500 x\r\n"), Say(b"250-a\r\n550 b\r\n"), Close(b""), Close(b"250 x")]
        {
            let replies: Replies = Box::leak(Box::new([(stage, play)]));
            let (handed, seen) = handed_over(replies, LIFE).await;
            assert_eq!((handed, seen.mails.len()), (Err(protocol), 0), "{stage}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_final_point_a_reply_has_half_a_minute_and_all_of_them_one() {
    let timeout = Err(Failure::Transport(EgressError::Timeout));
    for stage in ["connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        for play in [Trickle(b"250-x\r\n"), Late(Duration::from_secs(31), b"250 x\r\n")] {
            let began = Instant::now();
            let replies: Replies = Box::leak(Box::new([(stage, play)]));
            let (handed, seen) = handed_over(replies, LIFE).await;
            assert_eq!((handed, seen.mails.len()), (timeout, 0), "{stage}");
            assert_eq!(began.elapsed(), AnswerBudget::MAIL.time, "{stage}");
        }
    }
    let late = |reply| Late(Duration::from_secs(29), reply);
    let replies: Replies =
        Box::leak(Box::new([("connect", late(b"220\r\n")), ("MAIL", late(b"250\r\n")), ("RCPT", late(b"250\r\n"))]));
    let began = Instant::now();
    assert_eq!(handed_over(replies, LIFE).await.0, timeout);
    assert_eq!(began.elapsed(), BEFORE_POINT);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_cut_off_at_any_stage() {
    for stage in ["connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        for (first, again, error) in [
            (&b""[..], &b"250 aaaaaaa"[..], EgressError::TooLong),
            (b"220 ", b"a", EgressError::TooLong),
            (b"250-", b"a", EgressError::TooLong),
            // 128 lines are enough.
            (b"", b"250-a\r\n", EgressError::Protocol),
        ] {
            let replies: Replies = Box::leak(Box::new([(stage, Flood(first, again))]));
            let (handed, seen) = handed_over(replies, LIFE).await;
            assert_eq!(handed, Err(Failure::Transport(error)), "{stage} {}", first.escape_ascii());
            assert!(seen.flooded <= AnswerBudget::MAIL.bytes + 32 * 1024, "{stage}: {}", seen.flooded);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_before_its_command_is_not_taken_for_the_next_one() {
    let replies: [Replies; 3] = [
        &[("MAIL", Say(b"250 ok\r\n250 and more\r\n"))],
        &[("DATA", Say(b"354 go\r\n250 taken already\r\n"))],
        &[("connect", Say(b"220 mail\r\n250 mail\r\n"))],
    ];
    for replies in replies {
        let (handed, seen) = handed_over(replies, LIFE).await;
        assert_eq!((handed, seen.mails.len()), (Err(Failure::Transport(EgressError::Protocol)), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_within_the_message_gets_no_final_point() {
    // It speaks before the message is there, and closes.
    let (near, mut far) = duplex(16 * 1024);
    let mut session = Session::new(Metered::played(near, AnswerBudget::MAIL));
    far.write_all(b"552 5.3.4 too much\r\n").await.unwrap();
    let refused = session.message(b"Subject: x\r\n\r\n", Instant::now() + LIFE).await.unwrap_err();
    assert_eq!(Failure::from(refused), Failure::NotThisRoute);
    drop(session);
    let mut told = String::new();
    far.read_to_string(&mut told).await.unwrap();
    assert_eq!(told, "Subject: x\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn login_is_spoken_where_plain_is_not() {
    let replies: Replies = &[
        ("EHLO", Say(b"250-mail\r\n250 AUTH XOAUTH2 LOGIN\r\n")),
        ("AUTH", Say(b"334 VXNlcm5hbWU6\r\n")),
        ("dXNlcg==", Say(b"334\r\n")),
        ("cGFzc3dvcmQ=", Say(b"235 in\r\n")),
    ];
    let (handed, seen) = handed_over(replies, LIFE).await;
    assert_eq!(handed, Ok(()));
    assert_eq!(seen.lines[1..4], ["AUTH LOGIN", "dXNlcg==", "cGFzc3dvcmQ="]);
    let (handed, seen) = handed_over(&[("EHLO", Say(b"250-mail\r\n250 AUTH XOAUTH2\r\n"))], LIFE).await;
    assert_eq!(handed, Err(Failure::Sender), "the account cannot be used there");
    assert!(seen.lines.iter().all(|line| !line.starts_with("AUTH")), "{:?}", seen.lines);
}

#[tokio::test(start_paused = true)]
async fn login_is_tried_where_the_server_does_not_take_plain() {
    const LOGIN: [(&str, Play); 3] = [
        ("AUTH LOGIN", Say(b"334 VXNlcm5hbWU6\r\n")),
        ("dXNlcg==", Say(b"334\r\n")),
        ("cGFzc3dvcmQ=", Say(b"235 in\r\n")),
    ];
    let with = |plain: &'static [u8]| -> Replies {
        Box::leak(Box::new([LOGIN[0], LOGIN[1], LOGIN[2], ("AUTH PLAIN", Say(plain))]))
    };
    let refusals: [&[u8]; 6] = [
        b"504 unrecognized authentication type\r\n",
        b"504 5.5.4 unrecognized authentication type\r\n",
        b"534 5.7.9 mechanism is too weak\r\n",
        b"538 5.7.11 encryption required\r\n",
        b"501 5.5.2 syntax\r\n",
        b"502 not implemented\r\n",
    ];
    for refusal in refusals {
        let (handed, seen) = handed_over(with(refusal), LIFE).await;
        assert_eq!(handed, Ok(()), "{}", refusal.escape_ascii());
        assert_eq!(seen.lines[2..5], ["AUTH LOGIN", "dXNlcg==", "cGFzc3dvcmQ="]);
    }
    // The credential was refused, the server closes, or it asks for patience: the password is not shown once more.
    for (refusal, expected) in [
        (&b"535 5.7.8 bad credentials\r\n"[..], Failure::Sender),
        (b"530 5.7.0 go away\r\n", Failure::Sender),
        (b"525 5.7.13 disabled\r\n", Failure::Sender),
        (b"454 4.7.0 later\r\n", Failure::SenderForNow),
        (b"421 closing\r\n", Failure::SenderForNow),
    ] {
        let (handed, seen) = handed_over(with(refusal), LIFE).await;
        assert_eq!(handed, Err(expected), "{}", refusal.escape_ascii());
        assert_eq!(seen.lines.iter().filter(|line| line.starts_with("AUTH")).count(), 1);
    }
    // It was not offered, or is refused as well: its answer is the last.
    let only_plain: Replies = &[("EHLO", Say(b"250-mail\r\n250 AUTH PLAIN\r\n")), ("AUTH PLAIN", Say(b"504 no\r\n"))];
    assert_eq!(handed_over(only_plain, LIFE).await.0, Err(Failure::Sender));
    let neither: Replies = &[("AUTH PLAIN", Say(b"504 no\r\n")), ("AUTH LOGIN", Say(b"535 no\r\n"))];
    assert_eq!(handed_over(neither, LIFE).await.0, Err(Failure::Sender));
}

/// How STARTTLS ends, and what the server was told in the clear.
async fn cleared(replies: Replies) -> (Result<(), Failure>, Vec<String>) {
    let (near, far) = duplex(16 * 1024);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let server = tokio::spawn(Server { replies, seen: Arc::clone(&seen) }.serve(far));
    let stream = Metered::played(near, AnswerBudget::MAIL);
    let cleared = in_the_clear(stream, "example.com", Instant::now() + LIFE).await.map(drop);
    server.await.unwrap();
    (cleared, Arc::into_inner(seen).unwrap().into_inner().unwrap().lines)
}

#[tokio::test(start_paused = true)]
async fn a_stripped_or_refused_starttls_is_fatal() {
    let tls = |refusal| Err(Failure::Transport(EgressError::Tls(refusal)));
    let (hello, starttls) = ("EHLO example.com", "STARTTLS");
    let rows: [(Replies, Result<(), Failure>, &[&str]); 9] = [
        (&[], Ok(()), &[hello, starttls]),
        (&[("EHLO", Say(b"250-m\xE4il\r\n250-size 1\r\n250-starttls\r\n250 HELP\r\n"))], Ok(()), &[hello, starttls]),
        (&[("EHLO", Say(b"250 mail\r\n"))], tls(TrustRefusal::NotOffered), &[hello]),
        (&[("EHLO", Say(b"250-m\r\n250-AUTH PLAIN\r\n250 XSTARTTLS\r\n"))], tls(TrustRefusal::NotOffered), &[hello]),
        (&[("EHLO", Say(b"502 what\r\n"))], Err(Failure::NotThisRoute), &[hello]),
        (&[("connect", Say(b"554 go away\r\n"))], Err(Failure::Sender), &[]),
        (&[("STARTTLS", Say(b"502 not today\r\n"))], tls(TrustRefusal::NotOffered), &[hello, starttls]),
        (&[("STARTTLS", Say(b"454 not available\r\n"))], Err(Failure::Busy(None)), &[hello, starttls]),
        (&[("STARTTLS", Say(b"220 go\r\n250 AUTH LOGIN\r\n"))], tls(TrustRefusal::Handshake), &[hello, starttls]),
    ];
    for (row, (replies, expected, told)) in rows.into_iter().enumerate() {
        let (cleared, lines) = cleared(replies).await;
        assert_eq!(cleared, expected, "row {row}");
        assert_eq!(lines, told, "row {row}");
    }
}
