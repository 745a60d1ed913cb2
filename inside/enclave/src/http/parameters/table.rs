//! The tables. The page `docs/verify-parameters.md` is written from them; a test fails where the two differ.

use axum::http::Method;

use super::Nothing::{Empty, EmptyJson, False};
use super::Standing::{Offered, Refused, WithoutEffect};
use super::{Nothing, Parameter, Place, Resource};

const fn offered(name: &'static str, expected: &'static str, remark: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: Offered, expected, remark }
}

/// One that Twilio does not have.
const fn ours(name: &'static str, expected: &'static str, remark: &'static str) -> Parameter {
    Parameter { name, twilio: false, standing: Offered, expected, remark }
}

const fn refused(name: &'static str, nothing: Nothing, why: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: Refused(nothing, why), expected: "", remark: "" }
}

const fn without_effect(name: &'static str, why: &'static str) -> Parameter {
    Parameter { name, twilio: true, standing: WithoutEffect(why), expected: "", remark: "" }
}

const FRAUD: &str = "a fraud setting that would do nothing is refused; the policy's ceilings hold for every request";
const LOOKUP: &str = "numbers are not looked up";
const CALLS: &str = "codes are not sent by calls";
const PSD2: &str = "transactions are not signed";
const TEMPLATES: &str = "messages have fixed texts";
const PUSH: &str = "push factors are not offered";
const TOTP: &str = "TOTP factors are not offered";
const PASSKEYS: &str = "passkeys are not offered";
const WHATSAPP: &str = "messages are not sent by WhatsApp";
const SNA: &str = "silent network authentication is not offered";

/// Parameters of a service that the vault has.
const SERVICE: &[Parameter] = &[
    offered(
        "FriendlyName",
        "a name of 1 to 30 characters of the GSM alphabet, or of 1 to 15 others",
        "It stands in the message. An update brings no run of 11 or more letters, digits, `+` and `/` that the name did not have: it could be an Android app's hash. Characters count as what carriers may put in their place ([limits](LIMITS.md#a-text-message)).",
    ),
    offered(
        "CodeLength",
        "a number from the policy's floor to 10",
        "6 by default. A shorter one waits (`adyton tenant loosen`).",
    ),
    offered(
        "DoNotShareWarningEnabled",
        "true or false",
        "E-mails carry the warning too. Once on, it stays on. No request of a verification takes it away.",
    ),
    offered("CustomCodeEnabled", "true or false", "`true` only for services that the policy names."),
    ours(
        "WebOtpDomain",
        "an ASCII domain name of two labels or more and at most 46 characters, or the empty text",
        "Browsers bind a code to it; it stands in the last line. Fixed at creation; it can only be removed.",
    ),
    ours(
        "AppHashes",
        "up to 8 app hashes of 11 characters (A-Z, a-z, 0-9, + and /), separated by commas",
        "Android apps (SMS Retriever) that a verification may name. Fixed at creation; hashes can only be removed.",
    ),
];

const SERVICE_OF_TWILIO: &[Parameter] = &[
    refused("LookupEnabled", False, LOOKUP),
    refused("SkipSmsToLandlines", False, LOOKUP),
    refused("DtmfInputRequired", False, CALLS),
    refused("TtsName", Empty, CALLS),
    refused("Psd2Enabled", False, PSD2),
    without_effect("Push.IncludeDate", "Twilio deprecated it, and it concerns challenges that are not offered."),
    refused("Push.ApnCredentialSid", Empty, PUSH),
    refused("Push.FcmCredentialSid", Empty, PUSH),
    refused("Totp.Issuer", Empty, TOTP),
    refused("Totp.TimeStep", Empty, TOTP),
    refused("Totp.CodeLength", Empty, TOTP),
    refused("Totp.Skew", Empty, TOTP),
    refused("DefaultTemplateSid", Empty, TEMPLATES),
    refused("Whatsapp.MsgServiceSid", Empty, WHATSAPP),
    refused("Whatsapp.From", Empty, WHATSAPP),
    refused("Passkeys.RelyingParty.Id", Empty, PASSKEYS),
    refused("Passkeys.RelyingParty.Name", Empty, PASSKEYS),
    refused("Passkeys.RelyingParty.Origins", Empty, PASSKEYS),
    refused("Passkeys.AuthenticatorAttachment", Empty, PASSKEYS),
    refused("Passkeys.DiscoverableCredentials", Empty, PASSKEYS),
    refused("Passkeys.UserVerification", Empty, PASSKEYS),
    refused("VerifyEventSubscriptionEnabled", False, "events are not streamed"),
];

const PAGING: &[Parameter] = &[
    offered("PageSize", "a number from 1 to 1000", "50 by default."),
    offered(
        "Page",
        "0, or with PageToken the number of the page",
        "It is repeated in the answer. The token says where a page begins: follow `next_page_url`, which has both.",
    ),
    offered("PageToken", "the one in next_page_url of the page before", ""),
];

const VERIFICATION: &[Parameter] = &[
    offered("To", "a number in E.164 form (+, country code, subscriber number) or an e-mail address in ASCII", ""),
    offered("Channel", "sms or email", ""),
    offered(
        "CustomFriendlyName",
        "a name of 1 to 30 characters of the GSM alphabet, or of 1 to 15 others",
        "Instead of the service's name, by the same rules. One that leaves no room for warning, domain or app hash is \
         refused, and so is a run of 11 or more letters, digits, `+` and `/` that the service's name does not have: it could be an \
         Android app's hash.",
    ),
    offered(
        "Locale",
        "en, de, fr or es, with or without a region, such as de-AT",
        "`en` by default. It is not guessed from the number.",
    ),
    offered(
        "AppHash",
        "one of the service's AppHashes: 11 characters (A-Z, a-z, 0-9, + and /)",
        "Text messages only. It stands beside the domain.",
    ),
    offered(
        "CustomCode",
        "4 to 10 ASCII digits",
        "Only for services that the policy names, and no shorter than its floor.",
    ),
    refused("CustomMessage", Empty, TEMPLATES),
    refused("SendDigits", Empty, CALLS),
    refused("Amount", Empty, PSD2),
    refused("Payee", Empty, PSD2),
    refused("RateLimits", EmptyJson, "limits by keys of the caller's are not offered; the policy's ceilings hold"),
    refused("ChannelConfiguration", EmptyJson, "the policy's routes say who sends"),
    refused("TemplateSid", Empty, TEMPLATES),
    refused("TemplateCustomSubstitutions", EmptyJson, TEMPLATES),
    refused("Templates", EmptyJson, TEMPLATES),
    refused("DeviceIp", Empty, FRAUD),
    refused("RiskCheck", Empty, FRAUD),
    refused("Risk.TelemetryId", Empty, FRAUD),
    refused("EnableSnaClientToken", False, SNA),
    refused("Tags", EmptyJson, "tags would be recorded nowhere"),
];

/// `POST /v2/Services`.
pub(crate) static CREATE_SERVICE: Resource = Resource {
    title: "Create a service",
    method: Method::POST,
    path: "/v2/Services",
    place: Place::Body,
    parameters: &[SERVICE, SERVICE_OF_TWILIO],
};

/// `GET /v2/Services`.
pub(crate) static LIST_SERVICES: Resource = Resource {
    title: "List services",
    method: Method::GET,
    path: "/v2/Services",
    place: Place::Query,
    parameters: &[PAGING],
};

/// `GET /v2/Services/{VA…}`.
pub(crate) static FETCH_SERVICE: Resource = Resource {
    title: "Fetch a service",
    method: Method::GET,
    path: "/v2/Services/{service}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}`.
pub(crate) static UPDATE_SERVICE: Resource = Resource {
    title: "Update a service",
    method: Method::POST,
    path: "/v2/Services/{service}",
    place: Place::Body,
    parameters: &[SERVICE, SERVICE_OF_TWILIO],
};

/// `DELETE /v2/Services/{VA…}`.
pub(crate) static DELETE_SERVICE: Resource = Resource {
    title: "Delete a service",
    method: Method::DELETE,
    path: "/v2/Services/{service}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}/Verifications`.
pub(crate) static START: Resource = Resource {
    title: "Start a verification",
    method: Method::POST,
    path: "/v2/Services/{service}/Verifications",
    place: Place::Body,
    parameters: &[VERIFICATION],
};

/// `GET /v2/Services/{VA…}/Verifications/{VE…}`.
pub(crate) static FETCH_VERIFICATION: Resource = Resource {
    title: "Fetch a verification",
    method: Method::GET,
    path: "/v2/Services/{service}/Verifications/{verification}",
    place: Place::Query,
    parameters: &[],
};

/// `POST /v2/Services/{VA…}/Verifications/{VE…}`.
pub(crate) static UPDATE_VERIFICATION: Resource = Resource {
    title: "Update a verification",
    method: Method::POST,
    path: "/v2/Services/{service}/Verifications/{verification}",
    place: Place::Body,
    parameters: &[&[offered("Status", "canceled or approved", "`approved` only for services that the policy names.")]],
};

/// `POST /v2/Services/{VA…}/VerificationCheck`.
pub(crate) static CHECK: Resource = Resource {
    title: "Check a code",
    method: Method::POST,
    path: "/v2/Services/{service}/VerificationCheck",
    place: Place::Body,
    parameters: &[&[
        offered("Code", "4 to 10 ASCII digits", ""),
        offered(
            "To",
            "a number in E.164 form (+, country code, subscriber number) or an e-mail address in ASCII",
            "Or `VerificationSid`; with both, they must name one verification.",
        ),
        offered("VerificationSid", "VE and 32 hexadecimal digits", ""),
        refused("Amount", Empty, PSD2),
        refused("Payee", Empty, PSD2),
        refused("SnaClientToken", Empty, SNA),
    ]],
};

/// Every table, in the order of the page.
#[cfg(test)]
pub(super) static ALL: [&Resource; 9] = [
    &CREATE_SERVICE,
    &LIST_SERVICES,
    &FETCH_SERVICE,
    &UPDATE_SERVICE,
    &DELETE_SERVICE,
    &START,
    &FETCH_VERIFICATION,
    &UPDATE_VERIFICATION,
    &CHECK,
];
