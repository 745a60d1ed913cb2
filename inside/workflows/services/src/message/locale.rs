//! The languages that messages are written in.

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locale {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

/// The sentences of one language. Names and codes stand between them. The first three are within
/// the GSM alphabet.
pub(super) struct Words {
    pub(super) before_name: &'static str,
    pub(super) before_code: &'static str,
    pub(super) do_not_share: &'static str,
    pub(super) email_before_name: &'static str,
    pub(super) subject: &'static str,
    pub(super) validity: &'static str,
    pub(super) not_you: &'static str,
}

impl Locale {
    /// Every language.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Spanish];

    /// Parses a language tag (RFC 5646), of which the language decides: `de`, `de-AT`. `None` for
    /// another language: it is not guessed.
    pub fn parse(tag: &str) -> Option<Self> {
        let (language, rest) = tag.split_once('-').unwrap_or((tag, "XX"));
        let region = (2..=8).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let known = Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language));
        known.filter(|_| region)
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }

    pub(super) fn words(self) -> Words {
        match self {
            Self::English => Words {
                before_name: "Your ",
                before_code: " verification code is: ",
                do_not_share: ". Do not share it with anyone.",
                email_before_name: "Your ",
                subject: "Your verification code",
                validity: "It is valid for 10 minutes.",
                not_you: "If you did not ask for it, ignore this message. Nobody will ever ask you for this code.",
            },
            Self::German => Words {
                before_name: "Ihr Code für ",
                before_code: ": ",
                do_not_share: ". Geben Sie ihn an niemanden weiter.",
                email_before_name: "Ihr Code für ",
                subject: "Ihr Bestätigungscode",
                validity: "Er gilt 10 Minuten.",
                not_you: "Wenn Sie ihn nicht angefordert haben, tun Sie nichts. Niemand wird Sie je nach diesem Code fragen.",
            },
            Self::French => Words {
                before_name: "Votre code pour ",
                before_code: ": ",
                do_not_share: ". Ne le communiquez à personne.",
                email_before_name: "Votre code pour ",
                subject: "Votre code de vérification",
                validity: "Il est valable 10 minutes.",
                not_you: "Si vous ne l'avez pas demandé, ignorez ce message. Personne ne vous demandera jamais ce code.",
            },
            Self::Spanish => Words {
                before_name: "Su codigo para ",
                before_code: " es: ",
                do_not_share: ". No lo comparta con nadie.",
                email_before_name: "Su código para ",
                subject: "Su código de verificación",
                validity: "Es válido durante 10 minutos.",
                not_you: "Si no lo ha pedido, ignore este mensaje. Nadie le pedirá nunca este código.",
            },
        }
    }
}
