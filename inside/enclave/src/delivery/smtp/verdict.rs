//! What a refusal of a mail server concerns: the sender, the recipient, or this message at this server.
//!
//! The table is that of `docs/spec/07-delivery.md`:
//!
//! 1. 4yz: try again; to AUTH, or by a rule (4.7.x), it may concern the sender;
//! 2. 5yz before RCPT: the sender, for nothing else was said yet;
//! 3. 530, 534, 535, 538: the sender, at whatever stage;
//! 4. an enhanced status code, by its subject and detail. The recipient is refused only by a code that RFC 3463 gives to the
//!    recipient's address or mailbox, and that no vendor writes for something else;
//! 5. without one, by code and stage. To RCPT servers say 550 to 554 both for an unknown mailbox and for a sender who may not
//!    relay, so such a reply ends nothing before every route has given it.
//!
//! Where it is in doubt, another route may try: one attempt more costs less than a message that nobody gets.

use super::reply::Reply;
use super::{EgressError, Failure};

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The connection.
    Greeting,
    /// EHLO.
    Hello,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the message.
    Data,
}

/// What a reply means that is not the expected one.
pub(super) fn verdict(stage: Stage, reply: &Reply) -> Failure {
    match reply.code / 100 {
        // 1.
        4 if stage == Stage::Auth || matches!(reply.enhanced(), Some((_, 7, _))) => Failure::SenderForNow,
        4 => Failure::Busy(None),
        5 => permanent(stage, reply),
        _ => Failure::Transport(EgressError::Protocol),
    }
}

fn permanent(stage: Stage, reply: &Reply) -> Failure {
    match stage {
        // 2.
        Stage::Greeting | Stage::Auth | Stage::Mail => return Failure::Sender,
        Stage::Hello => return Failure::NotThisRoute,
        Stage::Rcpt | Stage::Data => {}
    }
    // 3.
    if matches!(reply.code, 530 | 534 | 535 | 538) {
        return Failure::Sender;
    }
    match (reply.enhanced(), reply.code) {
        // 4. The sender's address; Microsoft's daily limit of recipients.
        (Some((_, 1, 7 | 8 | 90)), _) => Failure::Sender,
        // A mailer that does not conform.
        (Some((_, 1, 9)), _) => Failure::NotThisRoute,
        (Some((_, 1, 1..=6 | 10)), _) => Failure::Recipient,
        // Microsoft's own details of the mailbox are about who submits.
        (Some((_, 2, 251..=255)), _) => Failure::Sender,
        (Some((_, 2, 1 | 3 | 4)), _) => Failure::Recipient,
        // Full. After RCPT Microsoft writes it for the sender's quota.
        (Some((_, 2, 2)), _) if stage == Stage::Rcpt => Failure::Recipient,
        // An address or a mailbox, and it is not certain whose.
        (Some((_, 1 | 2, _)), _) => Failure::PerhapsSender,
        // Google's daily quota.
        (Some((_, 4, 5)), _) => Failure::Sender,
        // A loop, of which a mail that was just made has none. Zoho writes it for unusual activity of the sender.
        (Some((_, 4, 6)), _) => Failure::PerhapsSender,
        // The mailbox or its domain has a new owner (RFC 7293).
        (Some((_, 7, 17 | 18)), _) => Failure::Recipient,
        // A list of the recipient's, and Microsoft's restrictions of recipients: this sender may not, another may.
        (Some((_, 7, 2 | 124 | 129 | 133..=136)), _) => Failure::NotThisRoute,
        // Everything else that is forbidden.
        (Some((_, 7, _)), _) => Failure::Sender,
        (Some(_), _) => Failure::NotThisRoute,
        // 5.
        (None, 556) if stage == Stage::Rcpt => Failure::Recipient,
        (None, 550..=554) if stage == Stage::Rcpt => Failure::PerhapsRecipient,
        (None, _) => Failure::NotThisRoute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of spec 07, each by its reply.
    #[test]
    fn each_refusal_concerns_what_the_spec_page_says() {
        use Stage::{Auth, Data, Greeting, Hello, Mail, Rcpt};
        let (sender, recipient, other) = (Failure::Sender, Failure::Recipient, Failure::NotThisRoute);
        let perhaps = Failure::PerhapsRecipient;
        let (busy, for_now, perhaps_sender) = (Failure::Busy(None), Failure::SenderForNow, Failure::PerhapsSender);
        for (stages, reply, expected) in [
            // 1.
            (&[Greeting, Hello, Auth, Mail, Rcpt, Data][..], "421 4.7.0 try again later", for_now),
            (&[Greeting, Hello, Mail, Rcpt, Data], "421 closing", busy),
            (&[Greeting, Hello, Mail, Rcpt, Data], "451 4.3.0 closing", busy),
            (&[Mail, Rcpt], "454 4.7.1 <p@example.org>: Relay access denied", for_now),
            (&[Rcpt, Data], "450 4.2.1 receiving too quickly", busy),
            (&[Rcpt, Data], "452 4.2.2 over quota", busy),
            (&[Auth], "454 4.7.0 temporary authentication failure", for_now),
            (&[Auth], "451 Authentication failed: Maximum credits exceeded", for_now),
            (&[Auth], "421 closing", for_now),
            // 2.
            (&[Greeting], "554 5.7.1 your address is on a list", sender),
            (&[Hello], "502 5.5.1 not implemented", other),
            (&[Auth], "535 5.7.8 bad credentials", sender),
            (&[Auth], "525 5.7.13 account disabled", sender),
            (&[Mail], "550 not you", sender),
            (&[Mail], "550 5.1.8 bad outbound sender", sender),
            (&[Mail], "550 5.4.5 Daily user sending limit exceeded", sender),
            // 3.
            (&[Rcpt, Data], "530 5.7.0 authentication required", sender),
            (&[Rcpt, Data], "535 go away", sender),
            // 4.
            (&[Rcpt, Data], "550 5.4.5 Daily user sending limit exceeded", sender),
            (&[Rcpt, Data], "554 5.2.252 SendAsDenied", sender),
            (&[Rcpt, Data], "550 5.2.251 Sender throttled due to continuous mailbox full errors.", sender),
            (&[Rcpt, Data], "550 5.2.253 throttled", sender),
            (&[Rcpt, Data], "550 5.2.254 Sender throttled due to continuous too many recipients errors.", sender),
            (&[Rcpt, Data], "550 5.2.255 Sender throttled due to continuous invalid recipients errors.", sender),
            (&[Rcpt, Data], "550 5.1.90 you've reached your daily limit for message recipients", sender),
            (&[Rcpt, Data], "550 5.7.1 relaying denied", sender),
            (&[Rcpt, Data], "553 sorry, that domain is not in my list (#5.7.1)", sender),
            (&[Rcpt, Data], "550 5.7.60 no permission to send as this sender", sender),
            (&[Rcpt, Data], "550 5.7.26 unauthenticated", sender),
            (&[Rcpt, Data], "550 5.7.708 access denied", sender),
            (&[Rcpt, Data], "550 5.1.8 bad outbound sender", sender),
            (&[Rcpt, Data], "553 5.1.7 bad sender address", sender),
            (&[Rcpt, Data], "550 5.1.1 no such mailbox", recipient),
            (&[Rcpt, Data], "550 5.1.2 no such domain", recipient),
            (&[Rcpt, Data], "551 5.1.6 moved", recipient),
            (&[Rcpt, Data], "556 5.1.10 null MX", recipient),
            (&[Rcpt, Data], "550 5.2.1 disabled", recipient),
            (&[Rcpt], "552 5.2.2 full", recipient),
            (&[Data], "554 5.2.2 SubmissionQuotaExceededException; submission quota exceeded", perhaps_sender),
            (&[Rcpt, Data], "552 5.2.3 too long for the mailbox", recipient),
            (&[Rcpt, Data], "550 5.2.4 mailing list expansion", recipient),
            (&[Rcpt, Data], "550 5.7.17 the mailbox has another owner", recipient),
            (&[Rcpt, Data], "550 5.2.250 not a registered detail", perhaps_sender),
            (&[Rcpt, Data], "550 5.2.256 not a registered detail", perhaps_sender),
            (&[Rcpt, Data], "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", perhaps_sender),
            (&[Rcpt, Data], "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException", perhaps_sender),
            (&[Rcpt, Data], "550 5.2.5 not a registered detail", perhaps_sender),
            (&[Rcpt, Data], "550 5.1.11 not a registered detail", perhaps_sender),
            (&[Rcpt, Data], "550 5.1.9 non-compliant mailer", other),
            (&[Rcpt, Data], "550 5.4.6 Unusual sending activity detected. Please try after sometime", perhaps_sender),
            (&[Rcpt, Data], "550 5.7.133 sender not authenticated for group", other),
            (&[Rcpt, Data], "554 5.3.0 other", other),
            (&[Rcpt, Data], "550 5.4.1 no answer from host", other),
            (&[Rcpt, Data], "501 5.5.4 bad arguments", other),
            (&[Rcpt, Data], "554 5.6.0 content", other),
            (&[Rcpt, Data], "550 5.0.0 undefined", other),
            // Postfix writes 5.1.0 in place of 5.1.1 if that concerns the sender and is said at RCPT only.
            (&[Rcpt, Data], "550 5.1.0 <codes@example.com>: Sender address rejected: User unknown", perhaps_sender),
            // 5.
            (&[Rcpt], "556 no mail there", recipient),
            (&[Rcpt], "550 no such mailbox", perhaps),
            (&[Rcpt], "550", perhaps),
            (&[Rcpt], "550 4.7.1 of another class", perhaps),
            (&[Rcpt], "551 not local", perhaps),
            (&[Rcpt], "552 full", perhaps),
            (&[Rcpt], "553 not allowed", perhaps),
            (&[Rcpt], "554 relay access denied", perhaps),
            (&[Rcpt], "503 no MAIL yet", other),
            (&[Data], "550 rejected", other),
            (&[Data], "554 looks like spam", other),
            // Nothing that is expected or a refusal.
            (&[Rcpt, Data], "354 go on", Failure::Transport(EgressError::Protocol)),
        ] {
            for stage in stages {
                let (code, text) = reply.split_at(3);
                let text = text.trim_start().as_bytes().to_vec();
                let read = Reply { code: code.parse().unwrap_or_default(), lines: vec![text] };
                assert_eq!(verdict(*stage, &read), expected, "{stage:?}: {reply}");
            }
        }
    }
}
