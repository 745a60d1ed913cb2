//! The e-mail that carries a code: plain text and HTML, both complete. No image, no link, nothing
//! that phones home, and no code in the subject, which notifications and logs of mail servers show.

use alloc::string::String;

use adyton_seal::Code;

use super::{Locale, Message, Part, Text};

pub(super) fn render(name: &str, locale: Locale, code: &Code, do_not_share: bool) -> Message {
    let words = locale.words();
    // A new line follows, not the code.
    let before_code = words.before_code.trim_end();
    let share = if do_not_share { words.do_not_share.trim_start_matches(". ") } else { "" };
    let (gap, html_gap) = if do_not_share { ("\n", "<br>") } else { ("", "") };
    let text = Text::new(
        &[
            Part::Literal(words.email_before_name),
            Part::Literal(name),
            Part::Literal(before_code),
            Part::Literal("\n\n    "),
            Part::Code,
            Part::Literal("\n\n"),
            Part::Literal(words.validity),
            Part::Literal(gap),
            Part::Literal(share),
            Part::Literal("\n"),
            Part::Literal(words.not_you),
            Part::Literal("\n"),
        ],
        code,
    );
    let name = escaped(name);
    let html = Text::new(
        &[
            Part::Literal("<!doctype html><html lang=\""),
            Part::Literal(locale.tag()),
            Part::Literal("\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"),
            Part::Literal(
                "<body style=\"margin:0;padding:24px;background:#f4f5f7;font:16px/1.5 system-ui,sans-serif;color:#1c1e21\">",
            ),
            Part::Literal(
                "<div style=\"max-width:28rem;margin:0 auto;padding:24px;background:#fff;border-radius:12px\"><p>",
            ),
            Part::Literal(words.email_before_name),
            Part::Literal(&name),
            Part::Literal(before_code),
            Part::Literal(
                "</p><p style=\"font:700 32px/1.2 ui-monospace,monospace;letter-spacing:4px;margin:24px 0\">",
            ),
            Part::Code,
            Part::Literal("</p><p>"),
            Part::Literal(words.validity),
            Part::Literal(html_gap),
            Part::Literal(share),
            Part::Literal("</p><p style=\"color:#5f6368;font-size:14px\">"),
            Part::Literal(words.not_you),
            Part::Literal("</p></div></body></html>\n"),
        ],
        code,
    );
    Message { text, subject: Some(words.subject.into()), html: Some(html), code: code.duplicate() }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}
