//! Replies of a mail server (RFC 5321 §4.2), read as bytes and by their code.
//!
//! 1. A line is three digits, then a space, a tab, a hyphen (another line follows) or its end; then a text in any encoding, up
//!    to LF. A CR before the LF belongs to the end.
//! 2. All lines of a reply have the same code.
//! 3. Of a line's text [`MAX_TEXT`] bytes are kept, whatever its length; a reply has at most [`MAX_LINES`] lines.
//!
//! How many bytes come at all is the stream's to bound ([`crate::egress`]).

use std::fmt;

/// Bytes that are kept of a line's text. What is looked for stands at its beginning.
pub const MAX_TEXT: usize = 512;
/// Lines of a reply. Servers offer about twenty extensions.
pub const MAX_LINES: usize = 128;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code, 200 to 599.
    pub code: u16,
    /// The lines' texts, without code and line end, cut to [`MAX_TEXT`].
    pub lines: Vec<Vec<u8>>,
}

/// Why bytes are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// A line does not begin with a code, or something else than a separator follows it.
    Code,
    /// A line has another code than the first one.
    Mixed,
    /// There are more than [`MAX_LINES`] lines.
    Lines,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code => f.write_str("a line of the reply does not begin with a code and a separator"),
            Self::Mixed => f.write_str("the lines of the reply have different codes"),
            Self::Lines => write!(f, "the reply has more than {MAX_LINES} lines"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// Reads one reply, byte by byte.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// What has come of the line: its code and separator.
    head: Vec<u8>,
    text: Vec<u8>,
    code: Option<u16>,
    lines: Vec<Vec<u8>>,
    unreadable: bool,
}

impl ReplyReader {
    /// Takes the next byte; the reply, if it ends it. After an error it is of no more use.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn push(&mut self, byte: u8) -> Result<Option<Reply>, ReplyError> {
        let read = if byte == b'\n' { self.end_line() } else { self.in_line(byte).map(|()| None) };
        // With too many lines the code is still known.
        self.unreadable |= matches!(read, Err(ReplyError::Code | ReplyError::Mixed));
        read
    }

    /// The code, if it is known before the reply has ended: for a reply that breaks off.
    pub fn code_so_far(&self) -> Option<u16> {
        let begun = || (self.head.len() >= 3).then(|| code(&self.head)).flatten();
        self.code.or_else(begun).filter(|_| !self.unreadable)
    }

    fn in_line(&mut self, byte: u8) -> Result<(), ReplyError> {
        match self.head.len() {
            0..3 => self.head.push(byte),
            3 => {
                self.same_code()?;
                if !matches!(byte, b' ' | b'\t' | b'-' | b'\r') {
                    return Err(ReplyError::Code);
                }
                self.head.push(byte);
            }
            // A CR that ends nothing.
            _ if self.head.ends_with(b"\r") => return Err(ReplyError::Code),
            _ if self.text.len() < MAX_TEXT => self.text.push(byte),
            _ => {}
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        let code = self.same_code()?;
        let more = self.head.get(3) == Some(&b'-');
        if self.text.ends_with(b"\r") {
            self.text.pop();
        }
        self.head.clear();
        self.lines.push(std::mem::take(&mut self.text));
        if !more {
            return Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }));
        }
        if self.lines.len() < MAX_LINES { Ok(None) } else { Err(ReplyError::Lines) }
    }

    /// 2.
    fn same_code(&mut self) -> Result<u16, ReplyError> {
        let code = code(&self.head).ok_or(ReplyError::Code)?;
        if *self.code.get_or_insert(code) == code { Ok(code) } else { Err(ReplyError::Mixed) }
    }
}

/// Three digits, the first of them 2 to 5.
fn code(head: &[u8]) -> Option<u16> {
    let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = *head.first_chunk()? else { return None };
    let digit = |byte: u8| u16::from(byte - b'0');
    Some(100 * digit(first) + 10 * digit(second) + digit(third))
}

impl Reply {
    /// The enhanced status code (RFC 3463): class, subject, detail. It begins a line's text (RFC 2034), or stands behind `(#`, as
    /// qmail has it. One whose class is not the code's is passed over.
    pub fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let of_line = |text: &Vec<u8>| {
            let marked = text.windows(2).position(|two| two == b"(#").map(|at| &text[at + 2..]);
            [Some(&text[..]), marked].into_iter().flatten().find_map(enhanced)
        };
        self.lines.iter().filter_map(of_line).find(|(class, ..)| *class == self.code / 100)
    }

    /// The words of each extension that a reply to EHLO offers, in capitals (RFC 5321 §4.1.1.1): all lines but the first.
    pub fn offers(&self) -> impl Iterator<Item = Vec<String>> {
        let words = |line: &Vec<u8>| {
            let line = line.to_ascii_uppercase();
            let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        };
        self.lines.iter().skip(1).map(words)
    }
}

/// `class.subject.detail`, each of at most three digits.
fn enhanced(text: &[u8]) -> Option<(u16, u16, u16)> {
    let (class, rest) = number(text, b'.')?;
    let (subject, rest) = number(rest, b'.')?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (detail, _) = (digits <= 3 && rest.get(digits) != Some(&b'.')).then(|| rest.split_at(digits))?;
    Some((class, subject, decimal(detail)?))
}

/// A number that ends with `end`, and what follows it.
fn number(text: &[u8], end: u8) -> Option<(u16, &[u8])> {
    let digits = text.iter().take(4).position(|byte| *byte == end)?;
    let (number, rest) = text.split_at(digits);
    Some((decimal(number)?, rest.get(1..)?))
}

fn decimal(digits: &[u8]) -> Option<u16> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What is read first, and the code that was known by then.
    fn read(bytes: &[u8]) -> (Result<Option<Reply>, ReplyError>, Option<u16>) {
        let mut reader = ReplyReader::default();
        for byte in bytes {
            match reader.push(*byte) {
                Ok(None) => {}
                done => return (done, reader.code_so_far()),
            }
        }
        (Ok(None), reader.code_so_far())
    }

    fn reply(bytes: &[u8]) -> Reply {
        read(bytes).0.unwrap().unwrap()
    }

    #[test]
    fn a_reply_is_read_by_its_code() {
        for (bytes, code, texts) in [
            (&b"250 ok\r\n"[..], 250, &[&b"ok"[..]][..]),
            (b"250\r\n", 250, &[b""]),
            (b"250\n", 250, &[b""]),
            (b"250 \r\n", 250, &[b""]),
            (b"250 ok\n", 250, &[b"ok"]),
            (b"250\tok\r\n", 250, &[b"ok"]),
            (b"250-\r\n250\r\n", 250, &[b"", b""]),
            (b"220-mail\n220-x\r\n220 y\n", 220, &[b"mail", b"x", b"y"]),
            (b"550 5.1.1 Empf\xE4nger unbekannt\r\n", 550, &[b"5.1.1 Empf\xE4nger unbekannt"]),
            (b"250 a\rb\r\n", 250, &[b"a\rb"]),
            (b"250 ok\r\n550 what follows is another reply\r\n", 250, &[b"ok"]),
        ] {
            let expected = Reply { code, lines: texts.iter().map(|text| text.to_vec()).collect() };
            assert_eq!(reply(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_has_no_code_is_no_reply() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\n"[..],
            b"22\r\n",
            b"220x\n",
            b"2500 ok\r\n",
            b"\r\n",
            b"\xEF\xBB\xBF220 x\r\n",
            b" 250 ok\r\n",
            b"150 ok\r\n",
            b"650 ok\r\n",
            b"250\rok\r\n",
        ] {
            assert_eq!(read(bytes), (Err(ReplyError::Code), None), "{}", bytes.escape_ascii());
        }
        assert_eq!(read(b"250-a\r\n550 b\r\n"), (Err(ReplyError::Mixed), None));
        assert_eq!(read(b"250-a\r\nb\r\n"), (Err(ReplyError::Code), None));
    }

    #[test]
    fn a_reply_that_breaks_off_has_the_code_that_came() {
        for (bytes, code) in [
            (&b""[..], None),
            (b"25", None),
            (b"250", Some(250)),
            (b"250 queued as", Some(250)),
            (b"250-queued\r\n2", Some(250)),
            (b"354", Some(354)),
            (b"who", None),
        ] {
            assert_eq!(read(bytes), (Ok(None), code), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_reply_is_bounded() {
        let long = [b"250 ", vec![b'a'; 100_000].as_slice(), b"\r\n"].concat();
        assert_eq!(reply(&long), Reply { code: 250, lines: vec![vec![b'a'; MAX_TEXT]] });
        let lines = |count: usize| [b"250-a\r\n".repeat(count - 1), b"250 a\r\n".to_vec()].concat();
        assert_eq!(reply(&lines(MAX_LINES)).lines.len(), MAX_LINES);
        assert_eq!(read(&lines(MAX_LINES + 1)), (Err(ReplyError::Lines), Some(250)));
    }

    #[test]
    fn an_enhanced_code_begins_a_line_or_stands_behind_a_mark() {
        for (bytes, expected) in [
            (&b"550 5.1.1 unknown\r\n"[..], Some((5, 1, 1))),
            (b"554 5.2.252 SendAsDenied\r\n", Some((5, 2, 252))),
            (b"550-5.4.5 Daily user sending limit exceeded.\r\n550 5.4.5 see\r\n", Some((5, 4, 5))),
            (b"550-no\r\n550 5.4.5 see\r\n", Some((5, 4, 5))),
            (b"550 5.7.1\r\n", Some((5, 7, 1))),
            (b"550 5.7.1: no\r\n", Some((5, 7, 1))),
            (b"553 not in my list (#5.7.1)\r\n", Some((5, 7, 1))),
            (b"550 4.7.1 another class\r\n", None),
            (b"550 2.1.5\r\n550 5.1.1\r\n", None),
            (b"550 5.1\r\n", None),
            (b"550 5.1.1.1 an address\r\n", None),
            (b"550 5.1.1111\r\n", None),
            (b"550 host 5.1.1\r\n", None),
            (b"550 5..1\r\n", None),
            (b"550 5.1.\r\n", None),
            (b"550\r\n", None),
        ] {
            assert_eq!(reply(bytes).enhanced(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn offers_are_words_of_all_lines_but_the_first() {
        let offers: Vec<_> = reply(b"250-AUTH PLAIN\r\n250-size 1\xE4\r\n250 auth=login  plain\r\n").offers().collect();
        assert_eq!(offers, [vec!["SIZE", "1\u{FFFD}"], vec!["AUTH=LOGIN", "PLAIN"]]);
    }
}
