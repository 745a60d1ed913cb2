//! Which environment variable a wrong value came from: the argument parser names the option alone.

use std::env;

use clap::error::{ContextKind, ContextValue};

/// Options that a variable gives when they are left out.
const VARIABLES: [(&str, &str); 5] = [
    ("--api", "ADYTON_API"),
    ("--vault-id", "ADYTON_VAULT_ID"),
    ("--root", "ADYTON_ROOT"),
    ("--pcr", "ADYTON_PCR"),
    ("--tenant", "ADYTON_TENANT"),
];
/// The argument of `adyton verify`, which is no option.
const URL: (&str, &str) = ("<URL>", "ADYTON_API");

/// The variable whose value is refused, if the option was left out.
pub(crate) fn named_by(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value,
        _ => "",
    };
    let given = env::args_os().map(|word| word.to_string_lossy().into_owned());
    let found = named(argument, value, given)?;
    env::var_os(found).is_some().then_some(found)
}

fn named(argument: &str, value: &str, given: impl IntoIterator<Item = String>) -> Option<&'static str> {
    let known = VARIABLES.into_iter().chain([URL]);
    let (option, variable) =
        known.into_iter().find(|(option, _)| argument.split(' ').next().is_some_and(|name| name == *option))?;
    // `--pcr 0=…` and `--pcr=0=…`.
    let is_option =
        |word: &String| word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    let is_given = |word: String| is_option(&word) || (!value.is_empty() && word == value);
    (!given.into_iter().any(is_given)).then_some(variable)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_option_that_was_left_out_came_from_its_variable() {
        let given = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(named("--pcr <N=HEX>", "", given("adyton verify")), Some("ADYTON_PCR"));
        assert_eq!(named("<URL>", "http://x", given("adyton verify")), Some("ADYTON_API"));
        assert_eq!(named("<URL>", "http://x", given("adyton verify http://x")), None);
        assert_eq!(named("--pcr <N=HEX>", "0=ab", given("adyton verify --pcr 0=ab")), None);
        assert_eq!(named("--pcr <N=HEX>", "0=ab", given("adyton verify --pcr=0=ab")), None);
        assert_eq!(named("--max-age <SECONDS>", "", given("adyton verify")), None);
    }
}
