//! Counts lines of C, assembly and Go: a line counts if something stands on it that is neither blank nor a comment.
//!
//! Strings are known, so that what looks like a comment in one is none. Limits: no preprocessor, so what `#if` leaves out is
//! counted, and so are directives; comments that only an assembler knows (`#`, `;`) are counted.

/// What the quotes of a language are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// An apostrophe may stand alone.
    Assembly,
    C,
    /// A string in backquotes may hold anything but one.
    Go,
}

/// Lines of code.
pub(crate) fn lines(text: &str, language: Language) -> usize {
    code(text, language).lines().filter(|line| !line.trim().is_empty()).count()
}

/// Whether a Go source imports a package: imports stand before every declaration.
pub(crate) fn imports(text: &str, package: &str) -> bool {
    let code = code(text, Language::Go);
    let declaration = |line: &&str| ["func ", "type ", "var ", "const "].iter().any(|word| line.starts_with(word));
    code.lines().take_while(|line| !declaration(line)).any(|line| line.trim_end().ends_with(&format!("\"{package}\"")))
}

/// The text without its comments, line for line.
fn code(text: &str, language: Language) -> String {
    enum State {
        Code,
        Line,
        Block,
        Quoted(char),
    }
    let (mut state, mut code, mut rest) = (State::Code, String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = rest.next() {
        match state {
            State::Code if c == '/' && rest.peek() == Some(&'/') => state = State::Line,
            State::Code if c == '/' && rest.peek() == Some(&'*') => {
                rest.next();
                // What stands before and after is not one word.
                code.push(' ');
                state = State::Block;
            }
            State::Code => {
                code.push(c);
                let quotes =
                    c == '"' || (c == '\'' && language != Language::Assembly) || (c == '`' && language == Language::Go);
                if quotes {
                    state = State::Quoted(c);
                }
            }
            State::Block if c == '*' && rest.peek() == Some(&'/') => {
                rest.next();
                state = State::Code;
            }
            State::Line if c == '\n' => {
                code.push(c);
                state = State::Code;
            }
            State::Line => {}
            State::Block => code.extend((c == '\n').then_some(c)),
            State::Quoted(quote) => {
                code.push(c);
                if c == '\\' && quote != '`' {
                    code.extend(rest.next());
                } else if c == quote || (c == '\n' && quote != '`') {
                    state = State::Code;
                }
            }
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_of_c() {
        let text =
            "/* one\n two */ int a;\n// int b;\n\nchar *c = \"/* \\\" // \";\nchar d = '\"'; /* int\n e; */\n#if 0\n";
        assert_eq!(lines(text, Language::C), 4);
    }

    #[test]
    fn an_apostrophe_of_assembly_opens_nothing() {
        assert_eq!(lines("mov a, b // don't\n# don't\n/* x */\nret\n", Language::Assembly), 3);
    }

    #[test]
    fn raw_strings_and_imports_of_go() {
        let text =
            "package a\n\nimport (\n\t\"fmt\" // \"unsafe\"\n\tu \"unsafe\"\n)\n\nvar b = `\n// kept\n\"C\"\n`\n";
        assert_eq!(lines(text, Language::Go), 9);
        assert!(imports(text, "unsafe"));
        assert!(!imports(text, "C"));
        assert!(!imports("package a\n// import \"unsafe\"\nvar b = `\n\"unsafe\"\n`\n", "unsafe"));
    }
}
